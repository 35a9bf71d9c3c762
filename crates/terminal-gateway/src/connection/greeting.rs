//! Waiting for HELLO.

use environment_access::wire::{ClientFrame, CloseCode, Hello, limits};

use super::browser::{Browser, Heard, answer_ping, hear};

/// Waits for HELLO, which must be the first frame and come in time.
pub(super) async fn greet(browser: &mut Browser) -> Result<Hello, CloseCode> {
    let first = async {
        loop {
            match hear(&mut browser.messages).await {
                Heard::Frame(ClientFrame::Hello(hello)) => return Ok(hello),
                Heard::Frame(ClientFrame::Ignored { .. }) | Heard::Pong => {}
                Heard::Ping(bytes) => answer_ping(&browser.outlet, bytes),
                Heard::Frame(_) => return Err(CloseCode::Protocol),
                Heard::Gone => return Err(CloseCode::GoingAway),
                Heard::Refused(code) => return Err(code),
            }
        }
    };
    let in_time = tokio::time::timeout(limits::HELLO_DEADLINE, first).await;
    in_time.unwrap_or(Err(CloseCode::HelloLate))
}
