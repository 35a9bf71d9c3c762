//! How many systems run at once, in a suite and in those that run beside it.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::setting;

/// In one suite. How many of its stories are told at once is the test runner's to say.
const PLACES: u32 = 4;

static FREE: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(usize::try_from(PLACES).expect("a few"))));

/// How much of the machine a story takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Weight {
    /// A few sessions, or waiting for a deadline.
    #[default]
    Light,
    /// All that its suite has, such as the cluster: no other story of that suite runs meanwhile.
    Suite,
    /// All that stories share: no other story runs meanwhile, in whichever suite. Tests that are no stories
    /// may, unless `cargo xtask test` has their suite enter the room (its `runner.sh`).
    Machine,
}

/// What a story takes of the machine, until this is dropped.
#[derive(Debug)]
pub struct Taken {
    _places: OwnedSemaphorePermit,
    _room: File,
}

/// Waits until the story may run. Nobody waits here while holding what was taken before: a story
/// that wants everything, and came in between, would wait for that and be waited for.
pub async fn take_places(weight: Weight) -> Taken {
    let places = match weight {
        Weight::Light => 1,
        Weight::Suite | Weight::Machine => PLACES,
    };
    let taken = Arc::clone(&FREE).acquire_many_owned(places).await;
    let folder = setting("CARREL_BIN_DIR");
    let room = tokio::task::spawn_blocking(move || enter(Path::new(&folder), weight));
    Taken {
        _places: taken.expect("the semaphore is never closed"),
        _room: room.await.expect("entering does not panic"),
    }
}

/// Enters the room that all suites with stories share in a run: with others, or alone. The kernel lets go of both
/// locks with the process, however that ends.
///
/// Whoever wants the room alone waits in the door, so that nobody else comes in before.
fn enter(folder: &Path, weight: Weight) -> File {
    let door = open(&folder.join("system-tests.door"));
    let room = open(&folder.join("system-tests.room"));
    door.lock().expect("the door can be locked");
    match weight {
        Weight::Light | Weight::Suite => room.lock_shared(),
        Weight::Machine => room.lock(),
    }
    .expect("the room can be locked");
    room
}

fn open(path: &Path) -> File {
    let opened = File::options().create(true).append(true).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Enters on a thread of its own, since that may have to wait.
    fn entering(folder: &Path, weight: Weight) -> Receiver<File> {
        let (entered, receiver) = channel();
        let folder = folder.to_owned();
        std::thread::spawn(move || entered.send(enter(&folder, weight)));
        receiver
    }

    fn is_closed(folder: &Path) -> bool {
        open(&folder.join("system-tests.door")).try_lock().is_err()
    }

    #[test]
    fn who_takes_the_machine_waits_for_all_and_comes_before_those_who_are_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let first = enter(folder, Weight::Light);
        let second = enter(folder, Weight::Suite);
        let alone = entering(folder, Weight::Machine);
        // It may not have come to the door yet; once it has, the door stays closed.
        while !is_closed(folder) {
            std::thread::yield_now();
        }
        let later = entering(folder, Weight::Light);
        drop(first);
        assert!(alone.try_recv().is_err(), "the second is still inside");
        drop(second);
        let machine = alone.recv().expect("it enters");
        assert!(later.try_recv().is_err(), "it has the room alone");
        drop(machine);
        later.recv().expect("the later one enters");
    }
}
