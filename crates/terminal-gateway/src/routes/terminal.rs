//! `GET /v1/sessions/{session_id}/terminal`.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, dev, web};
use environment_access::wire::{SUBPROTOCOL, limits};
use environment_access::{Action, Decision, TurnedAway, authorize, load_facts};
use session_identity::ExamSessionId;

use crate::caller::{Caller, session_id};
use crate::connection::{self, Browser, Entrance, Outlet};
use crate::frame_guard::{FrameGuard, GuardedPayload};
use crate::problem::Problem;
use crate::socket::SocketDuplicate;
use crate::state::GatewayState;

/// Upgrades to the terminal's WebSocket, after every check that needs no ticket.
pub(super) async fn attach(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<GatewayState>,
) -> Result<HttpResponse, actix_web::Error> {
    let state = state.into_inner();
    let entrance = entrance(&request, state).await?;
    let payload = guarded(&request, payload).await?;
    let (response, _, messages) =
        actix_ws::handle_with_protocols(&request, payload, &[SUBPROTOCOL])
            .map_err(|_| Problem::NotWebSocket)?;
    let (response, outlet) = Outlet::through(response);
    let messages = messages
        .max_frame_size(limits::MAX_CLIENT_MESSAGE)
        .aggregate_continuations()
        .max_continuation_size(limits::MAX_CLIENT_MESSAGE);
    let duplicate = request.conn_data::<SocketDuplicate>().cloned();
    actix_web::rt::spawn(connection::run(
        Browser::new(outlet, messages, duplicate),
        entrance,
    ));
    Ok(response)
}

async fn entrance(request: &HttpRequest, state: Arc<GatewayState>) -> Result<Entrance, Problem> {
    if state.draining.is_cancelled() {
        return Err(Problem::Busy);
    }
    let caller = Caller::of(request, &state).await?;
    let session_id = session_id(request)?;
    check_protocol(request)?;
    check_session(&state, session_id, &caller).await?;
    let waiting = state
        .waiting
        .enter(&caller.login.principal.user_id)
        .ok_or(Problem::Busy)?;
    let place = state.places.clone().try_acquire_owned().map_err(|_| {
        let user = &caller.login.principal.user_id;
        state
            .evidence
            .turned_away(session_id, user, TurnedAway::Busy);
        Problem::Busy
    })?;
    Ok(Entrance {
        state,
        session_id,
        caller,
        waiting,
        place,
    })
}

/// A WebSocket without our subprotocol would be accepted with none at all; it is refused here.
fn check_protocol(request: &HttpRequest) -> Result<(), Problem> {
    let is_upgrade = request
        .headers()
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    if !is_upgrade {
        return Err(Problem::NotWebSocket);
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut names = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|it| it.split(','));
    if names.any(|name| name.trim() == SUBPROTOCOL) {
        Ok(())
    } else {
        Err(Problem::Subprotocol)
    }
}

async fn check_session(
    state: &GatewayState,
    session_id: ExamSessionId,
    caller: &Caller,
) -> Result<(), Problem> {
    let mut conn = state.pool.acquire().await?;
    let facts = load_facts(&mut conn, session_id).await?;
    match authorize(facts.as_ref(), &caller.login.principal, Action::Attach) {
        Decision::Allowed => Ok(()),
        Decision::Denied(denial) => Err(Problem::Denied(denial)),
    }
}

/// Puts the frame guard between the connection and the WebSocket layer.
async fn guarded(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<web::Payload, actix_web::Error> {
    let guard = FrameGuard::new(limits::MAX_CLIENT_MESSAGE);
    let guarded = GuardedPayload::new(payload.into_inner(), guard);
    let mut payload: dev::Payload = dev::Payload::Stream {
        payload: Box::pin(guarded),
    };
    web::Payload::from_request(request, &mut payload).await
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn offered(protocols: &[&str]) -> Result<(), Problem> {
        let mut request = TestRequest::default().insert_header((header::UPGRADE, "WebSocket"));
        for protocol in protocols {
            request = request.append_header((header::SEC_WEBSOCKET_PROTOCOL, *protocol));
        }
        check_protocol(&request.to_http_request())
    }

    #[test]
    fn only_our_subprotocol_is_spoken() {
        assert!(offered(&["carrel-terminal.v1"]).is_ok());
        assert!(offered(&["other, carrel-terminal.v1"]).is_ok());
        assert!(offered(&["other", "carrel-terminal.v1"]).is_ok());
        for refused in [
            &[][..],
            &["other"],
            &["carrel-terminal.v2"],
            &["carrel-terminal.v10"],
        ] {
            assert!(
                matches!(offered(refused), Err(Problem::Subprotocol)),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_plain_request_is_told_to_speak_websocket() {
        let request = TestRequest::default().to_http_request();
        assert!(matches!(
            check_protocol(&request),
            Err(Problem::NotWebSocket)
        ));
    }
}
