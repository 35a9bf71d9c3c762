//! The leg into the environment: one exec of `keeper attach`, speaking keeper frames.

mod open;
mod pump;
mod tee;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carrel_keeper::frames::{Exit, Opened, Refused, Resume};
use execution_environment::{
    AttachRequest, EnvironmentRuntime, RuntimeError, RuntimeName, RuntimeUid,
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use tee::{Aside, Reach, Recorded, Tee, window};

use crate::gate::Gate;
use crate::screen_size::ScreenSize;

/// Commands and events under way between the two tasks of a terminal. Both sides hold their own
/// bounded buffers; these only save wake-ups.
const CHANNEL: usize = 32;

/// What a leg leads to and where it begins.
#[derive(Debug, Clone)]
pub(crate) struct LegSpec {
    /// What runs the environment.
    pub(crate) runtime: Arc<dyn EnvironmentRuntime>,
    /// The environment's name.
    pub(crate) name: RuntimeName,
    /// Its uid: no other environment of that name is entered.
    pub(crate) uid: RuntimeUid,
    /// The attach's fencing token.
    pub(crate) epoch: i64,
    /// The gate that every typed byte passes.
    pub(crate) gate: Arc<Gate>,
    /// One permit for each exec that may be starting.
    pub(crate) starts: Arc<Semaphore>,
    /// What it does once the gate is shut.
    pub(crate) once_shut: OnceShut,
}

/// What a leg does once its gate is shut. Either way no typed byte passes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnceShut {
    /// It ends.
    Ends,
    /// It is read on for as long as it is held, since what it brings is recorded; nothing but
    /// acknowledgements and pings is written to it. It ends where something typed is on its way.
    ReadsOn,
}

/// What the socket task wants of the leg.
#[derive(Debug)]
pub(crate) enum LegCommand {
    /// Typed bytes, beginning at an offset.
    Input {
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// The screen's size.
    Resize(ScreenSize),
    /// The browser has parsed output up to here.
    Ack(u64),
}

/// What the leg tells the socket task.
#[derive(Debug)]
pub(crate) enum LegEvent {
    /// The keeper gave the terminal.
    Opened(Opened),
    /// Output, beginning at an offset.
    Output {
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// The shell has typed bytes up to here.
    InputAck(u64),
    /// A measured round trip to the keeper.
    RoundTrip(Duration),
    /// The leg has ended; nothing follows.
    Ended(LegEnd),
}

/// How a leg ended.
#[derive(Debug)]
pub(crate) enum LegEnd {
    /// The shell exited, and all its output was passed on.
    Exit(Exit),
    /// Another attach took the terminal, or its record; by its epoch where that is known.
    Superseded { by: Option<i64> },
    /// Another leg of the same attach did: some process took this one for dead.
    Displaced,
    /// The keeper refused something.
    Refused(Refused),
    /// The exec could not be started, or the runtime said why it ended.
    NotStarted(RuntimeError),
    /// The stream broke, or the keeper stopped answering.
    Lost(&'static str),
    /// The gate was shut.
    Cut,
    /// It must be recorded, and the recorder has ended.
    Unrecorded,
}

/// A running leg. Dropping it ends the exec.
#[derive(Debug)]
pub(crate) struct Leg {
    /// To the leg.
    pub(crate) commands: mpsc::Sender<LegCommand>,
    /// From the leg.
    pub(crate) events: mpsc::Receiver<LegEvent>,
    /// To the recorder, beside what the leg brings; nothing where nothing is recorded.
    asides: Option<mpsc::UnboundedSender<Aside>>,
    _task: AbortOnDropHandle<()>,
}

impl Leg {
    /// Starts a leg after a pause, for a screen of `size`, at the place `resume` names.
    pub(crate) fn start(
        spec: LegSpec,
        size: ScreenSize,
        resume: Option<Resume>,
        pause: Duration,
    ) -> Self {
        let (commands, received) = mpsc::channel(CHANNEL);
        let (told, events) = mpsc::channel(CHANNEL);
        let task = async move {
            tokio::time::sleep(pause).await;
            let end = match open_in_turn(&spec, size, resume).await {
                Ok(stream) => pump::run(stream, received, &told, &spec.gate, spec.once_shut).await,
                Err(end) => end,
            };
            let end = match end {
                LegEnd::Superseded { by } if by == Some(spec.epoch) => LegEnd::Displaced,
                end => end,
            };
            // Fails only when the socket task has gone, which then has nothing to learn.
            told.send(LegEvent::Ended(end)).await.ok();
        };
        let task = AbortOnDropHandle::new(tokio::spawn(task));
        Self {
            commands,
            events,
            asides: None,
            _task: task,
        }
    }
}

/// Waits for its turn, which is no part of what an exec may take to start, and opens.
async fn open_in_turn(
    spec: &LegSpec,
    size: ScreenSize,
    resume: Option<Resume>,
) -> Result<execution_environment::AttachStreams, LegEnd> {
    // It is never closed; without turns it would go on all the same.
    let _starting = spec.starts.acquire().await.ok();
    open::open(spec, size, resume).await
}

impl LegSpec {
    async fn attach(&self) -> Result<execution_environment::AttachStreams, RuntimeError> {
        let request = AttachRequest { epoch: self.epoch };
        self.runtime.attach(&self.name, &self.uid, &request).await
    }
}
