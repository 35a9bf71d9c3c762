//! One browser's connection, from HELLO to Close.

mod browser;
mod bucket;
mod forgotten;
mod freeze;
mod greeting;
mod input;
mod link;
mod opening;
mod outbox;
mod outlet;
mod pace;
mod recording;
mod terminal;
mod unattended;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use environment_access::ReadShell;
use environment_access::wire::{CloseCode, Hello};
use orchestrator::Admitted;
use session_identity::ExamSessionId;
use session_recording::RecordingPolicy;
use telemetry::metrics::Metric;
use tokio::sync::{OwnedSemaphorePermit, watch};

pub(crate) use browser::Browser;
pub(crate) use outlet::Outlet;
pub(crate) use recording::RecordingTerms;
pub(crate) use unattended::read_on;

use self::opening::OpenedLeg;
use self::recording::{Left, Taped};
use self::terminal::Terminal;
use self::unattended::{Sought, TakeOver, leaves_a_shell};
use crate::admission::{FIRST_CUT_OFF, admit, read_authority};
use crate::caller::Caller;
use crate::gate::Gate;
use crate::leg::{LegSpec, OnceShut};
use crate::readings::Reading;
use crate::registry::Attached;
use crate::screen_size::ScreenSize;
use crate::state::GatewayState;
use crate::waiting::WaitingPlace;

/// What an upgraded request brings with it.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// What the process shares.
    pub(crate) state: Arc<GatewayState>,
    /// The session asked for.
    pub(crate) session_id: ExamSessionId,
    /// Who asks.
    pub(crate) caller: Caller,
    /// Held until HELLO.
    pub(crate) waiting: WaitingPlace,
    /// Held to the end.
    pub(crate) place: OwnedSemaphorePermit,
}

/// Serves one connection to its end.
pub(crate) async fn run(mut browser: Browser, entrance: Entrance) {
    let Entrance {
        state,
        session_id,
        caller,
        waiting,
        place,
    } = entrance;
    let greeted = greeting::greet(&mut browser).await;
    drop(waiting);
    let End { code, epoch, left } = match greeted {
        Ok(hello) => enter(&mut browser, &state, session_id, &caller, hello).await,
        Err(code) => End::refused(code),
    };
    Metric::TerminalCloses.increment(1, &[("code", code.as_str())]);
    tracing::info!(session.id = %session_id, user.id = %caller.login.principal.user_id,
        epoch, code = code.number(), reason = code.as_str(), "terminal closed");
    if let Some(epoch) = epoch {
        state.evidence.of(session_id, epoch).closed(code);
    }
    browser.close(code).await;
    if let Some(left) = left {
        left.finish(session_id).await;
    }
    drop(place);
}

/// How a connection ended.
struct End {
    code: CloseCode,
    /// The epoch it held, if it got that far.
    epoch: Option<i64>,
    /// Where its terminal's last words are on their way to the record.
    left: Option<Left>,
}

impl End {
    const fn refused(code: CloseCode) -> Self {
        Self {
            code,
            epoch: None,
            left: None,
        }
    }
}

async fn enter(
    browser: &mut Browser,
    state: &Arc<GatewayState>,
    session_id: ExamSessionId,
    caller: &Caller,
    hello: Hello,
) -> End {
    let greeted_at = Instant::now();
    let admitted = match admit(state, session_id, caller, &hello).await {
        Ok(admitted) => admitted,
        Err(code) => {
            Metric::TerminalAttaches.increment(1, &[("outcome", code.as_str())]);
            return End::refused(code);
        }
    };
    Metric::TerminalAttaches.increment(1, &[("outcome", "admitted")]);
    tracing::info!(session.id = %session_id, user.id = %caller.login.principal.user_id,
        epoch = admitted.epoch, "terminal attached");
    let attached = attach(session_id, admitted.epoch);
    state.registry.insert(attached.clone());
    let login_ends_at = caller.verified_at + caller.login.expires_in;
    let size = opening::asked_by(&hello).0;
    let turn = Turn::new(
        &attached,
        admitted,
        (login_ends_at, greeted_at),
        size,
        state,
    );
    let end = match read_authority(state, session_id).await {
        Ok(()) => turn.serve(browser, state, &hello).await,
        Err(code) => turn.leave(state, &hello, code),
    };
    attached.gate.shut(end.code);
    state.registry.remove(&attached);
    End {
        epoch: Some(attached.epoch),
        ..end
    }
}

fn attach(session_id: ExamSessionId, epoch: i64) -> Arc<Attached> {
    let gate = Arc::new(Gate::new(Instant::now() + FIRST_CUT_OFF));
    let (ends_at, _) = watch::channel(None);
    Arc::new(Attached {
        session_id,
        epoch,
        gate,
        ends_at,
        unacked: AtomicU64::new(0),
    })
}

/// An admitted attach's turn at its terminal.
struct Turn<'a> {
    attached: &'a Attached,
    spec: LegSpec,
    recording: RecordingTerms,
    /// Where it is recorded: what says that its shell is read here.
    reading: Option<Reading>,
    login_ends_at: Instant,
    greeted_at: Instant,
}

impl<'a> Turn<'a> {
    fn new(
        attached: &'a Attached,
        admitted: Admitted,
        (login_ends_at, greeted_at): (Instant, Instant),
        size: ScreenSize,
        state: &GatewayState,
    ) -> Self {
        let recording = RecordingTerms::of(admitted.recording);
        let once_shut = match recording.policy {
            RecordingPolicy::Off => OnceShut::Ends,
            RecordingPolicy::FailOpen | RecordingPolicy::FailClosed => OnceShut::ReadsOn,
        };
        let records = recording.policy != RecordingPolicy::Off && state.recorder.is_some();
        let reading = records.then(|| {
            state.readings.begin(ReadShell {
                session_id: attached.session_id,
                epoch: attached.epoch,
                shell_epoch: 0,
                columns: size.columns,
                rows: size.rows,
                is_attached: true,
            })
        });
        Self {
            attached,
            spec: LegSpec {
                runtime: state.runtime.clone(),
                name: admitted.name,
                uid: admitted.uid,
                epoch: admitted.epoch,
                gate: attached.gate.clone(),
                starts: state.starts.clone(),
                once_shut,
            },
            recording,
            reading,
            login_ends_at,
            greeted_at,
        }
    }

    async fn serve(self, browser: &mut Browser, state: &Arc<GatewayState>, hello: &Hello) -> End {
        let opened = match self.open(browser, state, hello).await {
            Ok(opened) => opened,
            Err(code) => return self.leave(state, hello, code),
        };
        Metric::TerminalAttachSeconds.observe(self.greeted_at.elapsed(), &[]);
        let attached = self.attached;
        let evidence = state.evidence.of(attached.session_id, attached.epoch);
        evidence.opened();
        let taped = opened.taped.clone();
        if let Some(reading) = &self.reading {
            reading.opened(opened.opened.shell_epoch);
        }
        let ends_at = self.login_ends_at;
        let terminal = Terminal::new(browser, state, attached, opened, ends_at, evidence)
            .read_for_the_record(self.reading);
        let (code, unattended) = terminal.serve().await;
        let left = match unattended {
            // Its tee ends later, with the shell or with whoever comes next.
            Some(unattended) => {
                tokio::spawn(unattended.run(state.draining.clone()));
                None
            }
            None => taped.map(Taped::leave),
        };
        End {
            code,
            epoch: Some(attached.epoch),
            left,
        }
    }

    /// An attach that came to nothing may have taken the shell from whoever recorded it.
    fn leave(self, state: &Arc<GatewayState>, hello: &Hello, code: CloseCode) -> End {
        let leaves_a_shell = leaves_a_shell(code) || code == CloseCode::CannotResume;
        if let Some(reading) = self.reading
            && leaves_a_shell
        {
            let (size, resume) = opening::asked_by(hello);
            let take_over = TakeOver {
                state: state.clone(),
                session_id: self.attached.session_id,
                spec: self.spec,
                recording: self.recording,
                size,
                sought: Sought::OfBrowser(resume),
                may_return: code != CloseCode::SessionEnded,
                reading,
            };
            tokio::spawn(take_over.run());
        }
        End::refused(code)
    }

    async fn open(
        &self,
        browser: &mut Browser,
        state: &GatewayState,
        hello: &Hello,
    ) -> Result<OpenedLeg, CloseCode> {
        let session_id = self.attached.session_id;
        let opening = async {
            let recording = recording::prepare(state, session_id, self.recording).await?;
            opening::open(browser, self.spec.clone(), hello, recording).await
        };
        // A recorder that lets somebody wait is no reason to learn late of an end.
        tokio::select! {
            biased;
            code = self.attached.gate.wait_shut() => Err(code),
            opened = opening => opened,
        }
    }
}
