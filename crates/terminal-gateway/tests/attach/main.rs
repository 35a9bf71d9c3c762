//! The gateway over real sockets and a real database, with a keeper played by the test.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bench;
mod browser;
mod cut_off;
mod evidence;
mod indistinguishable;
mod issuer_keys;
mod keeper;
mod recording;
mod refusals;
mod streams;
