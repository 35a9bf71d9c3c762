#![expect(
    unsafe_code,
    reason = "tokio can only register a foreign descriptor on our word"
)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers `descriptor`, which must be nonblocking, with the runtime.
pub(super) fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must stay open and the same for as long as it is registered. An
    // `OwnedFd` always names an open descriptor of ours, `AsyncFd` owns it from here on and
    // deregisters it before dropping it, and this crate never takes it out or borrows it mutably.
    let registered = unsafe { AsyncFd::register(descriptor) };
    registered.map_err(|error| error.into_parts().1)
}
