//! A browser: a WebSocket client that speaks the protocol.

use std::time::{Duration, Instant};

use bytes::Bytes;
use environment_access::wire::{ClientFrame, Hello, Resume, SUBPROTOCOL, ServerFrame, Welcome};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::Request};
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

use crate::rows::ORIGIN;
use crate::seat::Seat;

/// Nothing here takes longer unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Which page speaks, and the attach it held when it comes back by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Page {
    pub(crate) id: Option<Uuid>,
    pub(crate) held: Option<i64>,
}

pub(crate) struct Browser {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

/// What came last.
#[derive(Debug)]
pub(crate) enum Came {
    Frame(ServerFrame),
    Closed(u16),
    Broken,
}

pub(crate) fn request(seat: &Seat, token: &str) -> Request {
    let url = format!(
        "ws://{}/v1/sessions/{}/terminal",
        seat.address, seat.session_id
    );
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("origin", ORIGIN.parse().unwrap());
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    request
}

/// Opens the WebSocket, or says with which status it was refused.
pub(crate) async fn open(seat: &Seat, request: Request) -> Result<Browser, u16> {
    let stream = seat.connect().await;
    // As browsers do: a key does not wait for what went before to be confirmed.
    stream.set_nodelay(true).unwrap();
    open_over(stream, request).await
}

/// The same over a connection that is there.
pub(crate) async fn open_over(stream: TcpStream, request: Request) -> Result<Browser, u16> {
    match client_async(request, stream).await {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
            Ok(Browser { socket })
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl Browser {
    /// Logs in, takes a ticket, opens the WebSocket and says HELLO.
    pub(crate) async fn greet(seat: &Seat, resume: Option<Resume>) -> Self {
        Self::greet_as(seat, Page::default(), resume).await
    }

    /// The same, up to WELCOME.
    pub(crate) async fn attach(seat: &Seat, resume: Option<Resume>) -> (Self, Welcome) {
        Self::attach_as(seat, Page::default(), resume).await
    }

    /// Logs in as a page that says which it is, up to HELLO.
    pub(crate) async fn greet_as(seat: &Seat, page: Page, resume: Option<Resume>) -> Self {
        let token = seat.login();
        let ticket = seat.ticket(&token).await;
        let mut browser = open(seat, request(seat, &token)).await.unwrap();
        browser.hello_as(&ticket, page, resume).await;
        browser
    }

    /// The same, up to WELCOME.
    pub(crate) async fn attach_as(
        seat: &Seat,
        page: Page,
        resume: Option<Resume>,
    ) -> (Self, Welcome) {
        let mut browser = Self::greet_as(seat, page, resume).await;
        match browser.next().await {
            Came::Frame(ServerFrame::Welcome(welcome)) => (browser, welcome),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn hello(&mut self, ticket: &str, resume: Option<Resume>) {
        self.hello_as(ticket, Page::default(), resume).await;
    }

    async fn hello_as(&mut self, ticket: &str, page: Page, resume: Option<Resume>) {
        let hello = Hello {
            ticket: ticket.into(),
            columns: 80,
            rows: 24,
            resume,
            page: page.id,
            attach: page.held,
            capabilities: Vec::new(),
        };
        self.send(ClientFrame::Hello(hello)).await;
    }

    pub(crate) async fn send(&mut self, frame: ClientFrame) {
        self.socket
            .send(Message::Binary(frame.encode()))
            .await
            .unwrap();
    }

    pub(crate) async fn type_at(&mut self, offset: u64, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.send(ClientFrame::Input { offset, bytes }).await;
    }

    pub(crate) async fn next(&mut self) -> Came {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => {
                        return Came::Frame(ServerFrame::decode(&bytes).unwrap());
                    }
                    Some(Ok(Message::Close(frame))) => {
                        // The answer, which waits for somebody to send it.
                        self.socket.flush().await.ok();
                        return Came::Closed(frame.map_or(0, |frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Came::Broken,
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("something comes in time")
    }

    /// Reads output, acknowledging it, until `length` bytes have come.
    pub(crate) async fn output(&mut self, from: u64, length: usize) -> Vec<u8> {
        let mut output = Vec::new();
        while output.len() < length {
            match self.next().await {
                Came::Frame(ServerFrame::Output { bytes }) => {
                    output.extend_from_slice(&bytes);
                    self.send(ClientFrame::Ack {
                        offset: from + output.len() as u64,
                    })
                    .await;
                }
                Came::Frame(_) => {}
                other => panic!("{other:?} after {} bytes", output.len()),
            }
        }
        output
    }

    /// The close code, whatever comes before it.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Came::Closed(code) => return code,
                Came::Frame(_) => {}
                Came::Broken => panic!("the connection broke without a close code"),
            }
        }
    }

    /// The close code, and how long after `began` it came.
    pub(crate) async fn closed_after(&mut self, began: Instant) -> (u16, Duration) {
        let code = self.closed().await;
        (code, began.elapsed())
    }

    /// Waits until a Close frame with 4010 has arrived, and leaves it unread.
    pub(crate) async fn close_has_come(&mut self) {
        let [high, low] = 4010_u16.to_be_bytes();
        let come = async {
            let mut waiting = vec![0; 64 * 1024];
            loop {
                let count = self.socket.get_ref().peek(&mut waiting).await.unwrap();
                // The opcode of Close, a length, the code.
                let mut quads = waiting[..count].windows(4);
                if quads.any(|quad| matches!(quad, [0x88, _, a, b] if (*a, *b) == (high, low))) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, come)
            .await
            .expect("a Close frame comes in time");
    }
}
