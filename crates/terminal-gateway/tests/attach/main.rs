//! The gateway over real sockets and a real database, with a keeper played by the test.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bench;
mod browser;
mod conformance;
mod credit;
mod cut_off;
mod door;
mod evidence;
mod faults;
mod half_open;
mod indistinguishable;
mod issuer_keys;
mod keeper;
mod keeper_process;
mod logins;
mod metrics;
mod network;
mod origins;
mod process;
mod raw;
mod read_on;
mod reconnects;
mod record;
mod recording;
mod refusals;
mod ring;
mod rows;
mod seat;
mod secrets;
mod shell;
mod steady;
mod streams;
mod tabs;
mod tickets;
mod unattended;
