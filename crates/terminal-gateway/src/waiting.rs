//! Sockets that were upgraded and have not said HELLO: counted, so that nobody opens many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_identity::UserId;

/// Most waiting sockets of one user. By user and not by address: an exam room shares one.
const PER_USER: usize = 4;

/// Counts waiting sockets.
#[derive(Debug)]
pub(crate) struct WaitingRoom {
    most: usize,
    waiting: Mutex<HashMap<UserId, usize>>,
}

/// A place in the waiting room, given back when dropped.
#[derive(Debug)]
pub(crate) struct WaitingPlace {
    room: Arc<WaitingRoom>,
    user_id: UserId,
}

impl WaitingRoom {
    /// A room for `most` sockets.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: Mutex::default(),
        }
    }

    /// Takes a place for a user; `None` when the room or the user's share is full.
    pub(crate) fn enter(self: &Arc<Self>, user_id: &UserId) -> Option<WaitingPlace> {
        let mut waiting = self.lock();
        let everybody: usize = waiting.values().sum();
        let own = waiting.entry(user_id.clone()).or_default();
        if everybody >= self.most || *own >= PER_USER {
            if *own == 0 {
                waiting.remove(user_id);
            }
            return None;
        }
        *own += 1;
        drop(waiting);
        Some(WaitingPlace {
            room: self.clone(),
            user_id: user_id.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        let mut waiting = self.room.lock();
        if let Some(own) = waiting.get_mut(&self.user_id) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.user_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn one_user_cannot_take_the_room_for_all() {
        let room = Arc::new(WaitingRoom::new(6));
        let mine: Vec<_> = (0..PER_USER)
            .map(|_| room.enter(&user("a")).unwrap())
            .collect();
        assert!(room.enter(&user("a")).is_none());
        let others = [room.enter(&user("b")), room.enter(&user("c"))];
        assert!(others.iter().all(Option::is_some));
        assert!(room.enter(&user("d")).is_none(), "the room is full");
        drop(mine);
        assert!(room.enter(&user("d")).is_some());
        drop(others);
        assert!(room.lock().is_empty());
    }
}
