use std::io;
use std::time::Duration;

use carrel_keeper::frames::{KeeperFrame, Open, RefusalCode, Refused};
use carrel_keeper::{ClientFrame, Decoder, Frame as _};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use super::client::farewell;
use crate::processes;

/// How long a stream may take to send its OPEN.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the kernel may queue towards one client, in bytes: a PONG waits behind it.
const SEND_BUFFER: usize = 64 * 1024;

/// A stream whose first frame was a well-formed OPEN.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) socket: UnixStream,
    pub(super) decoder: Decoder<ClientFrame>,
    pub(super) open: Open,
}

/// Reads the first frame of an accepted stream; `None` when the stream was turned away.
pub(super) async fn shake_hands(socket: UnixStream) -> Option<Handshake> {
    // Without it PONG is later, nothing else.
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER).ok();
    if !is_from_outside(&socket) {
        refuse(
            socket,
            RefusalCode::ForeignPeer,
            "only an exec from outside may attach",
        )
        .await;
        return None;
    }
    let mut socket = socket;
    let mut decoder = Decoder::new();
    match tokio::time::timeout(PATIENCE, first_frame(&mut socket, &mut decoder)).await {
        Ok(Ok(Some(ClientFrame::Open(open)))) => Some(Handshake {
            socket,
            decoder,
            open,
        }),
        Ok(Ok(None)) => None,
        _ => {
            refuse(socket, RefusalCode::BadOpen, "the first frame must be OPEN").await;
            None
        }
    }
}

/// Ends a stream with REFUSED.
pub(super) async fn refuse(socket: UnixStream, code: RefusalCode, message: &str) {
    let refused = KeeperFrame::Refused(Refused {
        code,
        message: message.to_owned(),
    });
    farewell(socket, &refused.to_bytes().unwrap_or_default()).await;
}

async fn first_frame(
    socket: &mut UnixStream,
    decoder: &mut Decoder<ClientFrame>,
) -> io::Result<Option<ClientFrame>> {
    loop {
        if let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            return Ok(Some(frame));
        }
        if socket.read_buf(decoder.buffer_mut()).await? == 0 {
            return Ok(None);
        }
    }
}

/// Tells whether the peer was put into this PID namespace from outside.
///
/// The candidate's processes have our uid, so the socket's mode does not hold them off; with an
/// epoch of their own they could lock their terminal process out. But everything they start
/// descends from us, while an exec's parent lies outside and shows as 0. This holds only where we
/// are process 1; elsewhere (tests, a developer's machine) every peer with our uid may attach.
fn is_from_outside(socket: &UnixStream) -> bool {
    if !rustix::process::getpid().is_init() {
        return true;
    }
    let peer = socket
        .peer_cred()
        .ok()
        .and_then(|peer| processes::read(peer.pid()?));
    peer.is_some_and(|process| process.parent == 0)
}
