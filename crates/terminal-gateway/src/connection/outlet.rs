//! The way to the browser: WebSocket messages into the body of the response.
//!
//! Heads are written here and not by the WebSocket layer, which would copy every frame behind its head:
//! the connection takes both as they are.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::{BufMut as _, Bytes, BytesMut};
use environment_access::wire::{CloseCode, ServerFrame};
use tokio::sync::mpsc;

/// Messages that the connection has not taken yet.
const MESSAGES: usize = 32;

const FIN: u8 = 0x80;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// The longest head that a server writes: two bytes, a length of eight, and a frame's type.
const LONGEST_HEAD: usize = 11;
/// The longest payload of a message that is no binary one, and the longest length in the second byte.
const SHORT: usize = 125;
/// In the place of the length: it follows in two bytes, or in eight.
const TWO_BYTES: u8 = 126;
const EIGHT_BYTES: u8 = 127;

/// A WebSocket message to the browser.
#[derive(Debug)]
pub(crate) struct Message {
    opcode: u8,
    /// The type of the frame, where it does not stand in the payload.
    frame_type: Option<u8>,
    payload: Bytes,
}

impl Message {
    const fn new(opcode: u8, payload: Bytes) -> Self {
        Self {
            opcode,
            frame_type: None,
            payload,
        }
    }

    /// A frame of the protocol.
    pub(crate) const fn frame(frame: Bytes) -> Self {
        Self::new(BINARY, frame)
    }

    /// A frame of output, whose bytes stay where they are.
    pub(crate) fn output(bytes: Bytes) -> Self {
        Self {
            frame_type: Some(ServerFrame::OUTPUT),
            ..Self::new(BINARY, bytes)
        }
    }

    pub(crate) const fn ping() -> Self {
        Self::new(PING, Bytes::new())
    }

    /// The answer to a ping, with the bytes that came with it.
    pub(crate) fn pong(mut payload: Bytes) -> Self {
        payload.truncate(SHORT);
        Self::new(PONG, payload)
    }

    /// The last message, which nothing follows.
    pub(crate) fn close(code: CloseCode) -> Self {
        let mut payload = BytesMut::from(&code.number().to_be_bytes()[..]);
        payload.extend_from_slice(code.reason().as_bytes());
        payload.truncate(SHORT);
        Self::new(CLOSE, payload.freeze())
    }

    /// Bytes of the frame.
    pub(crate) fn length(&self) -> usize {
        usize::from(self.frame_type.is_some()) + self.payload.len()
    }

    /// The bytes before the payload.
    fn head(&self) -> Bytes {
        let length = self.length();
        let mut head = BytesMut::with_capacity(LONGEST_HEAD);
        head.put_u8(FIN | self.opcode);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if length <= SHORT => head.put_u8(short),
            (_, Ok(length)) => {
                head.put_u8(TWO_BYTES);
                head.put_u16(length);
            }
            _ => {
                head.put_u8(EIGHT_BYTES);
                head.put_u64(length as u64);
            }
        }
        head.extend(self.frame_type);
        head.freeze()
    }
}

/// The connection has ended.
#[derive(Debug)]
pub(crate) struct Closed;

/// Takes messages for the browser; its one owner waits for room and then puts one. The response ends
/// when it is dropped.
#[derive(Debug)]
pub(crate) struct Outlet(mpsc::Sender<Message>);

impl Outlet {
    /// Makes the way, and the response that leads to the browser.
    pub(crate) fn through(response: HttpResponse) -> (HttpResponse, Self) {
        let (outlet, messages) = mpsc::channel(MESSAGES);
        let response = response.map_body(|_, upgraded| {
            let body = MessagesBody {
                messages,
                payload: Bytes::new(),
                is_over: false,
                _upgraded: upgraded,
            };
            body.boxed()
        });
        (response, Self(outlet))
    }

    /// Waits until one message can be put. Nothing is lost when it is cancelled.
    pub(crate) async fn room(&self) -> Result<(), Closed> {
        self.0.reserve().await.map(drop).map_err(|_| Closed)
    }

    /// Puts one message, after [`Outlet::room`].
    pub(crate) fn put(&self, message: Message) -> Result<(), Closed> {
        self.0.try_send(message).map_err(|_| Closed)
    }

    /// Waits for room and puts one message.
    pub(crate) async fn send(&self, message: Message) -> Result<(), Closed> {
        self.0.send(message).await.map_err(|_| Closed)
    }
}

/// Messages as the bytes of a body.
struct MessagesBody {
    messages: mpsc::Receiver<Message>,
    /// What follows on a head.
    payload: Bytes,
    /// CLOSE was the last. The body goes on until nobody can put anything: with its end the connection
    /// is no longer read, and the client has yet to answer.
    is_over: bool,
    /// The WebSocket layer's own body, which is never read. With its end that layer learns that the
    /// connection has gone.
    _upgraded: BoxBody,
}

impl MessageBody for MessagesBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        if !this.payload.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.payload))));
        }
        while let Some(message) = ready!(this.messages.poll_recv(cx)) {
            if this.is_over {
                continue;
            }
            this.is_over = message.opcode == CLOSE;
            let head = message.head();
            this.payload = message.payload;
            return Poll::Ready(Some(Ok(head)));
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
impl Message {
    /// The frame as the browser has it.
    pub(crate) fn into_frame(self) -> Bytes {
        let frame_type = self.frame_type.into_iter();
        frame_type.chain(self.payload).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn bytes(body: &mut (impl MessageBody<Error: std::fmt::Debug> + Unpin)) -> Option<Bytes> {
        let chunk = poll_fn(|cx| Pin::new(&mut *body).poll_next(cx)).await;
        chunk.map(Result::unwrap)
    }

    #[actix_web::test]
    async fn a_message_is_its_head_and_its_payload_as_it_is() {
        let (response, outlet) = Outlet::through(HttpResponse::Ok().finish());
        let mut body = response.into_body();
        for (length, head) in [
            (1, &[0x82, 1][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xFF, 0xFF]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Bytes::from(vec![7; length]);
            outlet.put(Message::frame(frame.clone())).unwrap();
            assert_eq!(bytes(&mut body).await.unwrap(), head);
            let payload = bytes(&mut body).await.unwrap();
            assert_eq!(payload.as_ptr(), frame.as_ptr(), "nothing was copied");
            assert_eq!(payload.len(), length);
        }
        outlet.put(Message::output("ls".into())).unwrap();
        outlet.put(Message::ping()).unwrap();
        outlet.put(Message::pong("abc".into())).unwrap();
        assert_eq!(bytes(&mut body).await.unwrap(), &[0x82, 3, 0x82][..]);
        assert_eq!(bytes(&mut body).await.unwrap(), "ls");
        assert_eq!(bytes(&mut body).await.unwrap(), &[0x89, 0][..]);
        assert_eq!(bytes(&mut body).await.unwrap(), &[0x8A, 3][..]);
        assert_eq!(bytes(&mut body).await.unwrap(), "abc");
    }

    #[actix_web::test]
    async fn nothing_follows_on_close() {
        let (response, outlet) = Outlet::through(HttpResponse::Ok().finish());
        let mut body = response.into_body();
        let close = Message::close(CloseCode::SessionEnded);
        outlet.send(close).await.unwrap();
        outlet.put(Message::ping()).unwrap();
        let head = bytes(&mut body).await.unwrap();
        let payload = bytes(&mut body).await.unwrap();
        assert_eq!((head[0], usize::from(head[1])), (0x88, payload.len()));
        assert_eq!(payload[..2], 4010_u16.to_be_bytes());
        let mut end = std::pin::pin!(bytes(&mut body));
        assert!(futures_util::poll!(&mut end).is_pending());
        drop(outlet);
        assert_eq!(end.await, None);
    }

    #[actix_web::test]
    async fn a_connection_that_takes_nothing_has_room_for_so_many_messages() {
        let (response, outlet) = Outlet::through(HttpResponse::Ok().finish());
        for _ in 0..MESSAGES {
            outlet.room().await.unwrap();
            outlet.put(Message::ping()).unwrap();
        }
        assert!(futures_util::poll!(std::pin::pin!(outlet.room())).is_pending());
        drop(response);
        assert!(outlet.room().await.is_err(), "it has gone");
    }
}
