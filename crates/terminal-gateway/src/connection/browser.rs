//! The browser's end of a connection.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError};
use bytes::Bytes;
use environment_access::wire::{ClientFrame, CloseCode, Notice, NoticeCode, ServerFrame};
use futures_util::FutureExt as _;

use super::outlet::{Message, Outlet};
use crate::frame_guard::FrameFault;
use crate::socket::SocketDuplicate;

/// How long a client has to take the Close frame when its session is over.
const CUT_WITHIN: Duration = Duration::from_millis(250);
/// The same when nothing hurries: a slow network may still be carrying output.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// The browser's end of a connection.
pub(crate) struct Browser {
    pub(super) outlet: Outlet,
    pub(super) messages: AggregatedMessageStream,
    duplicate: Option<SocketDuplicate>,
}

/// What a browser sent.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A frame of the protocol.
    Frame(ClientFrame),
    /// A WebSocket ping, to be answered with the same bytes.
    Ping(Bytes),
    /// A WebSocket pong.
    Pong,
    /// The connection has ended.
    Gone,
    /// Something that ends the connection with this code.
    Refused(CloseCode),
}

impl Browser {
    /// Takes over an upgraded connection.
    pub(crate) fn new(
        outlet: Outlet,
        messages: AggregatedMessageStream,
        duplicate: Option<SocketDuplicate>,
    ) -> Self {
        Self {
            outlet,
            messages,
            duplicate,
        }
    }

    /// Closes with a code. Returns when the client has answered or gone, at the latest after a while.
    ///
    /// Until then what it sends is read. A kernel that is given bytes for a socket that nobody has any
    /// more resets the connection, and with it goes what the client has not read yet, the code included.
    /// A client that stopped reading would keep the Close frame waiting for ever, and with it megabytes
    /// in the kernel: its socket is cut, also where it has answered and its connection still stands then.
    pub(crate) async fn close(self, code: CloseCode) {
        let Self {
            outlet,
            mut messages,
            duplicate,
        } = self;
        let over = is_final(code);
        let patience = if over { CUT_WITHIN } else { LEAVE_WITHIN };
        let until = tokio::time::Instant::now() + patience;
        let goodbye = async {
            say_goodbye(&outlet, code).await;
            while !has_ended(messages.recv().await.as_ref()) {}
        };
        let gone = tokio::time::timeout_at(until, goodbye).await.is_ok();
        if over {
            // The answer may be older than the end, and what is to be taken still lie in a buffer; at this
            // moment it ends.
            tokio::time::sleep_until(until).await;
        }
        let Some(duplicate) = duplicate else { return };
        if over || !gone {
            return duplicate.cut();
        }
        if !is_fault(code) {
            duplicate.hear_no_more();
        }
        // It may have said goodbye without reading what is still to be sent, which the kernel would keep for it.
        actix_web::rt::spawn(async move {
            tokio::time::sleep_until(until).await;
            duplicate.cut();
        });
    }
}

/// Whether what the client sends is no longer understood, so that no answer of it is: the server reads on
/// for a moment, for the same reason as [`Browser::close`], and throws away what comes.
const fn is_fault(code: CloseCode) -> bool {
    matches!(
        code,
        CloseCode::Protocol | CloseCode::Text | CloseCode::TooBig
    )
}

/// Whether nothing may reach the client after a moment, whatever its network does.
const fn is_final(code: CloseCode) -> bool {
    matches!(code, CloseCode::SessionEnded | CloseCode::LoginExpired)
}

/// Whether nothing follows. Anything else that comes after the server's CLOSE is thrown away unread: what is
/// wrong with it is nobody's business any more, and a log of it as long as the client likes.
const fn has_ended(message: Option<&Result<AggregatedMessage, ProtocolError>>) -> bool {
    matches!(message, Some(Ok(AggregatedMessage::Close(_))) | None)
}

/// Either fails only when the connection has gone.
async fn say_goodbye(outlet: &Outlet, code: CloseCode) {
    if code == CloseCode::SessionEnded {
        let notice = Notice {
            code: NoticeCode::EndingIn,
            text: "terminal.ended".to_owned(),
            args: [("remaining_ms".to_owned(), 0.into())].into(),
        };
        let notice = ServerFrame::Notice(notice).encode();
        outlet.send(Message::frame(notice)).await.ok();
    }
    outlet.send(Message::close(code)).await.ok();
}

/// Waits for what the browser sends next. Nothing is lost when it is cancelled.
pub(super) async fn hear(messages: &mut AggregatedMessageStream) -> Heard {
    match messages.recv().await {
        Some(Ok(AggregatedMessage::Binary(bytes))) => match ClientFrame::decode(&bytes) {
            Ok(frame) => Heard::Frame(frame),
            Err(error) => {
                tracing::info!(reason = %error, "a browser broke the protocol");
                Heard::Refused(error.close_code())
            }
        },
        Some(Ok(AggregatedMessage::Text(_))) => Heard::Refused(CloseCode::Text),
        Some(Ok(AggregatedMessage::Ping(bytes))) => Heard::Ping(bytes),
        Some(Ok(AggregatedMessage::Pong(_))) => Heard::Pong,
        Some(Ok(AggregatedMessage::Close(_))) | None => Heard::Gone,
        Some(Err(error)) => broken(&error),
    }
}

/// Answers a WebSocket ping if the connection takes an answer now. A client that reads nothing and
/// pings on gets fewer, and keeps nobody waiting.
pub(super) fn answer_ping(outlet: &Outlet, bytes: Bytes) {
    if let Some(Ok(())) = outlet.room().now_or_never() {
        // Fails only when the connection has gone, which is heard next.
        outlet.put(Message::pong(bytes)).ok();
    }
}

/// The close code of a broken WebSocket; a connection that broke off has none.
fn broken(error: &ProtocolError) -> Heard {
    let ProtocolError::Io(io) = error else {
        return Heard::Refused(match error {
            ProtocolError::Overflow => CloseCode::TooBig,
            _ => CloseCode::Protocol,
        });
    };
    match io
        .get_ref()
        .and_then(|source| source.downcast_ref::<PayloadError>())
    {
        Some(PayloadError::Io(error)) => fault(error).map_or(Heard::Gone, Heard::Refused),
        Some(_) => Heard::Gone,
        // Reserved bits, or text that is not UTF-8.
        None if io.kind() == std::io::ErrorKind::InvalidData => Heard::Refused(CloseCode::Protocol),
        // The fragments of one message together are too long.
        None => Heard::Refused(CloseCode::TooBig),
    }
}

/// The close code of a header that the frame guard refused.
fn fault(error: &std::io::Error) -> Option<CloseCode> {
    let fault = error.get_ref()?.downcast_ref::<FrameFault>()?;
    tracing::info!(reason = %fault, "a browser broke the protocol");
    Some(fault.close_code())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn code(error: &ProtocolError) -> Option<CloseCode> {
        match broken(error) {
            Heard::Refused(code) => Some(code),
            Heard::Gone => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_way_to_break_the_websocket_has_its_code() {
        let io = |error: io::Error| ProtocolError::Io(error);
        let payload = |error: PayloadError| io(io::Error::other(error));
        let guarded = |fault: FrameFault| payload(PayloadError::Io(io::Error::other(fault)));
        let table = [
            (ProtocolError::UnmaskedFrame, Some(CloseCode::Protocol)),
            (ProtocolError::InvalidOpcode(3), Some(CloseCode::Protocol)),
            (ProtocolError::InvalidLength(126), Some(CloseCode::Protocol)),
            (
                ProtocolError::ContinuationStarted,
                Some(CloseCode::Protocol),
            ),
            (ProtocolError::Overflow, Some(CloseCode::TooBig)),
            (guarded(FrameFault::Text), Some(CloseCode::Text)),
            (guarded(FrameFault::Order), Some(CloseCode::Protocol)),
            (payload(PayloadError::Incomplete(None)), None),
            (
                io(io::Error::new(io::ErrorKind::InvalidData, "rsv")),
                Some(CloseCode::Protocol),
            ),
            (io(io::Error::other("fragments")), Some(CloseCode::TooBig)),
        ];
        for (error, expected) in table {
            assert_eq!(code(&error), expected, "{error}");
        }
    }
}
