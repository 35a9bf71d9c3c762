//! A duplicate of a connection's socket, to end a client that stopped reading.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use rustix::net::sockopt;

/// Kernel probes on an idle connection: first after so long, then every tenth second, three times.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;
/// What the kernel may hold for one client, in bytes; it takes twice as much for its own books. Left
/// to itself it holds megabytes for a client that does not read.
const SEND_BUFFER: usize = 128 * 1024;
/// Unacknowledged data older than this ends the connection, in milliseconds.
const USER_TIMEOUT_MILLIS: u32 = 45_000;

/// An owned duplicate of a connection's socket.
///
/// Owned, and not a number remembered: after the connection is gone the number may name another
/// candidate's socket, the duplicate never does.
#[derive(Debug, Clone)]
pub(crate) struct SocketDuplicate(Arc<TcpStream>);

impl SocketDuplicate {
    /// Nothing more is expected of the client. Who waits for it ends the connection at once, and after all
    /// that is still to be sent.
    pub(crate) fn hear_no_more(&self) {
        // Fails only when the connection is gone already.
        self.0.shutdown(Shutdown::Read).ok();
    }

    /// Ends both directions now. What the kernel still holds for the client is dropped with it.
    pub(crate) fn cut(&self) {
        // Without lingering, the kernel does not go on delivering megabytes to a client whose
        // session is over. Either call fails only when the connection is gone already.
        sockopt::set_socket_linger(&*self.0, Some(Duration::ZERO)).ok();
        self.0.shutdown(Shutdown::Both).ok();
    }
}

/// Keeps a duplicate of each accepted connection's socket beside its requests.
pub(crate) fn keep_duplicate(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else {
        return;
    };
    watch_liveness(stream);
    // Failing is harmless: the window bounds what an honest client leaves unread.
    sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER).ok();
    match stream.as_fd().try_clone_to_owned() {
        Ok(duplicate) => {
            data.insert(SocketDuplicate(Arc::new(TcpStream::from(duplicate))));
        }
        Err(error) => tracing::warn!(%error, "a connection's socket could not be duplicated"),
    }
}

/// Lets the kernel find a peer that vanished. Failing is harmless: the pings find it later.
fn watch_liveness(stream: &impl AsFd) {
    sockopt::set_socket_keepalive(stream, true).ok();
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_AFTER).ok();
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_EVERY).ok();
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES).ok();
    sockopt::set_tcp_user_timeout(stream, USER_TIMEOUT_MILLIS).ok();
}
