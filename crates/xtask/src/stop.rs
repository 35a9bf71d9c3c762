//! Ctrl-C and SIGTERM as a question: has somebody asked us to stop?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Set once the person, or a supervisor, wants the end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Takes SIGINT, SIGTERM and SIGHUP of this process from now on.
    pub(crate) fn listen() -> Result<Self> {
        let stop = Self(Arc::new(AtomicBool::new(false)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("signals could not be listened to")?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let flag = stop.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    flag.0.store(true, Ordering::Release);
                }
            });
        });
        Ok(stop)
    }

    /// One that a test asks, and no signal.
    #[cfg(test)]
    pub(crate) fn by_hand() -> Self {
        Self(Arc::default())
    }

    /// Asks for the end.
    #[cfg(test)]
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the end was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits until `ready` says so, the time is over, or the end was asked for; tells which.
    pub(crate) fn wait_until(
        &self,
        limit: Duration,
        mut ready: impl FnMut() -> Result<bool>,
    ) -> Result<Waited> {
        let deadline = Instant::now() + limit;
        loop {
            if ready()? {
                return Ok(Waited::Ready);
            }
            if self.is_asked() {
                return Ok(Waited::Stopped);
            }
            if Instant::now() >= deadline {
                return Ok(Waited::TooLong);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// What was waited for is there.
    Ready,
    /// The end was asked for meanwhile.
    Stopped,
    /// The time is over.
    TooLong,
}
