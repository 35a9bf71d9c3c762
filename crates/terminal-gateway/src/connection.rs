//! One browser's connection, from HELLO to Close.

mod browser;
mod bucket;
mod greeting;
mod input;
mod link;
mod opening;
mod outbox;
mod pace;
mod terminal;

use std::sync::Arc;
use std::time::Instant;

use environment_access::wire::{CloseCode, Hello};
use session_identity::ExamSessionId;
use telemetry::metrics::Metric;
use tokio::sync::{OwnedSemaphorePermit, watch};

pub(crate) use browser::Browser;
pub(crate) use pace::ScreenSize;

use crate::admission::{FIRST_CUT_OFF, admit, read_authority};
use crate::caller::Caller;
use crate::gate::Gate;
use crate::leg::LegSpec;
use crate::registry::Attached;
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
    let outcome = match greeted {
        Ok(hello) => enter(&mut browser, &state, session_id, &caller, hello).await,
        Err(code) => Outcome { code, epoch: None },
    };
    let code = outcome.code;
    Metric::TerminalCloses.increment(1, &[("code", code.as_str())]);
    tracing::info!(session.id = %session_id, user.id = %caller.login.principal.user_id,
        epoch = outcome.epoch, code = code.number(), reason = code.as_str(), "terminal closed");
    if let Some(epoch) = outcome.epoch {
        state.recorder.of(session_id, epoch).closed(code);
    }
    browser.close(code).await;
    drop(place);
}

/// How a connection ended, and which epoch it held if it got that far.
struct Outcome {
    code: CloseCode,
    epoch: Option<i64>,
}

async fn enter(
    browser: &mut Browser,
    state: &Arc<GatewayState>,
    session_id: ExamSessionId,
    caller: &Caller,
    hello: Hello,
) -> Outcome {
    let admitted = match admit(state, session_id, caller, hello.ticket.clone()).await {
        Ok(admitted) => admitted,
        Err(code) => {
            Metric::TerminalAttaches.increment(1, &[("outcome", code.as_str())]);
            return Outcome { code, epoch: None };
        }
    };
    Metric::TerminalAttaches.increment(1, &[("outcome", "admitted")]);
    tracing::info!(session.id = %session_id, user.id = %caller.login.principal.user_id,
        epoch = admitted.epoch, "terminal attached");
    let epoch = Some(admitted.epoch);
    let attached = attach(session_id, admitted.epoch);
    state.registry.insert(attached.clone());
    if let Err(code) = read_authority(state, session_id).await {
        state.registry.remove(&attached);
        return Outcome { code, epoch };
    }
    let spec = LegSpec {
        runtime: state.runtime.clone(),
        name: admitted.name,
        uid: admitted.uid,
        epoch: admitted.epoch,
        gate: attached.gate.clone(),
    };
    let login_ends_at = caller.verified_at + caller.login.expires_in;
    let code = serve(browser, state, &attached, spec, &hello, login_ends_at).await;
    attached.gate.shut(code);
    state.registry.remove(&attached);
    Outcome { code, epoch }
}

fn attach(session_id: ExamSessionId, epoch: i64) -> Arc<Attached> {
    let gate = Arc::new(Gate::new(Instant::now() + FIRST_CUT_OFF));
    let (ends_at, _) = watch::channel(None);
    Arc::new(Attached {
        session_id,
        epoch,
        gate,
        ends_at,
    })
}

async fn serve(
    browser: &mut Browser,
    state: &GatewayState,
    attached: &Attached,
    spec: LegSpec,
    hello: &Hello,
    login_ends_at: Instant,
) -> CloseCode {
    let opened = match opening::open(browser, spec, hello).await {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let evidence = state.recorder.of(attached.session_id, attached.epoch);
    evidence.opened();
    let terminal =
        terminal::Terminal::new(browser, state, attached, opened, login_ends_at, evidence);
    terminal.serve().await
}
