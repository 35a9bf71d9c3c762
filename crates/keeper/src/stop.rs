//! `stop`: asks the keeper at a socket to end everything, and waits until it has.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::Failure;

/// Above the keeper's own grace, so that a clean end is seen as one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Signals the process that listens at `socket`; its end closes our connection.
pub(crate) fn stop(socket: &Path) -> Result<(), Failure> {
    let mut stream = UnixStream::connect(socket)
        .map_err(|error| Failure::unreachable(format!("{}: {error}", socket.display())))?;
    let keeper = rustix::net::sockopt::socket_peercred(&stream)
        .map_err(|error| Failure::broken("peer of the socket", &error.into()))?;
    rustix::process::kill_process(keeper.pid, Signal::TERM)
        .map_err(|error| Failure::broken("cannot signal the keeper", &error.into()))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(|error| Failure::broken("socket", &error))?;
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {
            Err(Failure::unreachable("the keeper still runs"))
        }
        // An end or a reset: the keeper closed its side.
        _ => Ok(()),
    }
}
