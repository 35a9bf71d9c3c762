//! Threads that wait for the disk, so that no thread of the runtime ever does.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use tokio::sync::oneshot;

/// A sync takes a few milliseconds in which its thread does nothing, and the file system makes one of
/// what several ask for: sixteen serve some thousands a second. Each session has one thing under way at
/// a time, so that what waits is bounded by the sessions.
const THREADS: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// Does things to the disk. Its threads end with the last clone; one whose disk hangs keeps no process
/// from ending.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    jobs: Sender<Job>,
}

/// Something panicked where it must not; the panic's own message is in the log.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("do something to the spool: it panicked")]
pub(super) struct Panicked;

impl Disk {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..THREADS {
            let receiver = Arc::clone(&receiver);
            let thread = Builder::new().name(format!("recording-{number}"));
            thread.spawn(move || work(&receiver))?;
        }
        Ok(Self { jobs })
    }

    /// Does something on one of the threads.
    ///
    /// # Cancellation
    /// It is done all the same.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (told, done) = oneshot::channel();
        let job = move || {
            // Whoever asked may have stopped waiting.
            told.send(act()).ok();
        };
        self.jobs.send(Box::new(job)).map_err(|_| Panicked)?;
        done.await.map_err(|_| Panicked)
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The thread serves everybody; whoever asked finds that there is no answer.
        catch_unwind(AssertUnwindSafe(job)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_outlive_what_panics_on_them() {
        let disk = Disk::start().unwrap();
        for _ in 0..THREADS * 2 {
            let panics = disk.run(|| std::panic::resume_unwind(Box::new(())));
            let nothing: Result<(), Panicked> = panics.await;
            assert!(nothing.is_err());
        }
        assert_eq!(disk.run(|| 7).await.unwrap(), 7);
    }
}
