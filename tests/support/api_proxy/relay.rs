//! One connection: one request, one answer.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Call, Mode, Point, Shared};

/// No head of a client's is longer.
const HEAD_LIMIT: usize = 64 * 1024;
/// What is read of an answer at once.
const BUFFER: usize = 16 * 1024;

/// A request as it came.
struct Request {
    head: String,
    body: Vec<u8>,
}

/// Ends when either side does; both sockets close then.
pub(super) async fn relay(mut client: TcpStream, shared: Arc<Shared>) {
    client.set_nodelay(true).ok();
    let Some(request) = Request::read(&mut client).await else {
        return;
    };
    let mut mode = shared.mode.subscribe();
    let waited = mode.wait_for(|mode| *mode != Mode::Pause).await.is_ok();
    if !waited || *shared.mode.borrow() == Mode::Refuse {
        return;
    }
    let mut trap = shared.note(request.call());
    if trap
        .as_ref()
        .is_some_and(|trap| trap.point == Point::Before)
        && let Some(trap) = trap.take()
        && !trap.hold().await
    {
        return;
    }
    let Ok(mut server) = TcpStream::connect(shared.upstream).await else {
        return;
    };
    server.set_nodelay(true).ok();
    if server.write_all(&request.alone()).await.is_err() {
        return;
    }
    if let Some(trap) = trap {
        // The answer's first byte: by then it is done.
        let done = server.peek(&mut [0]).await;
        if done.is_err() || !trap.hold().await {
            return;
        }
    }
    let cut = mode.wait_for(|mode| *mode == Mode::Refuse);
    tokio::select! {
        _ = answer(&mut server, &mut client, &shared) => {}
        _ = cut => {}
    }
}

/// Passes the answer on to its end, or until the client goes: it sends nothing more.
async fn answer(server: &mut TcpStream, client: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut buffer, mut more) = (vec![0; BUFFER], [0]);
    let (mut gone, mut client) = client.split();
    loop {
        let count = tokio::select! {
            count = server.read(&mut buffer) => count?,
            _ = gone.peek(&mut more) => return Ok(()),
        };
        if count == 0 {
            return Ok(());
        }
        shared.note_answered(count);
        client.write_all(&buffer[..count]).await?;
    }
}

impl Request {
    /// Reads head and body; `None` when the client goes first.
    async fn read(client: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let head = loop {
            if client.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            assert!(bytes.len() < HEAD_LIMIT, "a client sends no end of a head");
        };
        let mut body = bytes.split_off(head);
        let head = String::from_utf8(bytes).expect("a head is text");
        let length = header(&head, "content-length").map_or(0, |length| {
            length.parse().expect("a client knows its length")
        });
        assert!(
            header(&head, "transfer-encoding").is_none(),
            "the clients of this proxy send whole bodies"
        );
        while body.len() < length {
            if client.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { head, body })
    }

    fn call(&self) -> Call {
        let mut line = self.head.split(' ');
        let method = line.next().unwrap_or_default();
        Call::new(method, line.next().unwrap_or_default(), &self.body)
    }

    /// The same request as the last one of its connection, so that the next comes on its own.
    fn alone(&self) -> Vec<u8> {
        let (line, rest) = self.head.split_once("\r\n").expect("a head has lines");
        let lines = rest.split("\r\n").filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            !name.eq_ignore_ascii_case("connection")
        });
        let rest: Vec<&str> = lines.collect();
        let mut alone =
            format!("{line}\r\nConnection: close\r\n{}", rest.join("\r\n")).into_bytes();
        alone.extend_from_slice(&self.body);
        alone
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}
