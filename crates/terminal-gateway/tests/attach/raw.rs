//! A client that writes its WebSocket frames itself, and so can write wrong ones.

use environment_access::wire::SUBPROTOCOL;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::browser::PATIENCE;
use crate::rows::ORIGIN;
use crate::seat::Seat;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A client on a bare connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// What a server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A frame: its first byte and payload.
    Frame(u8, Vec<u8>),
    /// The connection ended.
    End,
}

/// A frame as a client writes it, with the shortest length that fits.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = match u16::try_from(payload.len()) {
        Ok(short @ 0..126) => header(first, 0, short.into()),
        Ok(middle) => header(first, 2, middle.into()),
        Err(_) => header(first, 8, payload.len() as u64),
    };
    let masked = payload.iter().zip(MASK.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A header whose length takes so many more bytes, whether it has to or not.
pub(crate) fn header(first: u8, length_bytes: usize, length: u64) -> Vec<u8> {
    let second = match length_bytes {
        0 => u8::try_from(length).unwrap(),
        2 => 126,
        _ => 127,
    };
    let mut bytes = vec![first, 0x80 | second];
    bytes.extend(&length.to_be_bytes()[8 - length_bytes..]);
    bytes.extend(MASK);
    bytes
}

/// A CLOSE with a code and a reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes()[..], reason].concat())
}

/// A HELLO with a ticket.
pub(crate) fn hello(ticket: &str) -> Vec<u8> {
    let hello = format!("\x01{{\"ticket\":\"{ticket}\",\"cols\":80,\"rows\":24}}");
    frame(0x82, hello.as_bytes())
}

/// The head of an upgrade to a session's terminal.
pub(crate) fn upgrade(seat: &Seat, token: &str) -> String {
    format!(
        "GET /v1/sessions/{}/terminal HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nOrigin: {ORIGIN}\r\n\
         Authorization: Bearer {token}\r\n\r\n",
        seat.session_id, seat.address
    )
}

impl Raw {
    /// Opens a WebSocket by hand.
    pub(crate) async fn open(seat: &Seat, token: &str) -> Self {
        let (raw, head) = Self::asked(seat, &upgrade(seat, token)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    /// The head of the answer to a request.
    pub(crate) async fn ask(seat: &Seat, head: &str) -> String {
        Self::asked(seat, head).await.1
    }

    async fn asked(seat: &Seat, head: &str) -> (Self, String) {
        Self::asked_over(seat.connect().await, head).await
    }

    async fn asked_over(stream: TcpStream, head: &str) -> (Self, String) {
        let mut raw = Self {
            stream,
            read: Vec::new(),
        };
        raw.stream.set_nodelay(true).unwrap();
        raw.send(head.as_bytes()).await;
        loop {
            let end = raw.read.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head = raw.read.drain(..end + 4).collect();
                return (raw, String::from_utf8(head).unwrap());
            }
            assert!(raw.fill().await, "no answer");
        }
    }

    /// Opens one, says HELLO and reads WELCOME.
    pub(crate) async fn attach(seat: &Seat) -> Self {
        Self::attach_over(seat.connect().await, seat).await
    }

    /// The same over a connection that is there.
    pub(crate) async fn attach_over(stream: TcpStream, seat: &Seat) -> Self {
        let token = seat.login();
        let ticket = seat.ticket(&token).await;
        let (mut raw, head) = Self::asked_over(stream, &upgrade(seat, &token)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw.send(&hello(&ticket)).await;
        match raw.next().await {
            Answer::Frame(0x82, said) if said[0] == 0x81 => raw,
            other => panic!("{other:?}"),
        }
    }

    /// Writes bytes as they are. A server that has closed already is heard by reading.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }

    /// Reads the next frame.
    pub(crate) async fn next(&mut self) -> Answer {
        loop {
            if let Some(frame) = self.take() {
                return frame;
            }
            if !self.fill().await {
                return Answer::End;
            }
        }
    }

    fn take(&mut self) -> Option<Answer> {
        let [first, second] = *self.read.first_chunk::<2>()?;
        let (head, length) = match second {
            127.. => panic!("no frame of a server is masked or so long: {second}"),
            126 => (
                4,
                usize::from(u16::from_be_bytes([*self.read.get(2)?, *self.read.get(3)?])),
            ),
            short => (2, usize::from(short)),
        };
        if self.read.len() < head + length {
            return None;
        }
        let frame: Vec<u8> = self.read.drain(..head + length).collect();
        Some(Answer::Frame(first, frame[head..].to_vec()))
    }

    async fn fill(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        read.expect("something comes in time").unwrap_or(0) > 0
    }

    /// The code of the CLOSE that is the only thing to come, with the end behind it once it is answered.
    pub(crate) async fn only_close(&mut self) -> Option<u16> {
        let Answer::Frame(0x88, payload) = self.next().await else {
            return None;
        };
        self.send(&frame(0x88, &payload)).await;
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        (self.next().await == Answer::End).then_some(code?)
    }
}
