//! The numbers both ends agree on.

use std::time::Duration;

/// How long a client may take to send HELLO.
pub const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// Greatest HELLO message, in bytes.
pub const MAX_HELLO: usize = 4 * 1024;
/// Greatest number of typed bytes in one INPUT frame.
pub const MAX_INPUT: usize = 16 * 1024;
/// Greatest client message: an INPUT frame with its type and offset, in bytes.
pub const MAX_CLIENT_MESSAGE: usize = 1 + 8 + MAX_INPUT;
/// Output bytes in one frame while somebody types: small, so control frames overtake soon.
pub const INTERACTIVE_OUTPUT: usize = 8 * 1024;
/// Output bytes in one frame when there is much of it.
pub const MAX_OUTPUT: usize = 16 * 1024;
/// Output bytes the server sends beyond the last ACK. At the 3 MB/s a browser parses, 128 KiB
/// delay the visible effect of an interrupt by about 42 ms.
pub const OUTPUT_WINDOW: u64 = 128 * 1024;
/// Typed bytes the client may send beyond the last `INPUT_ACK`.
pub const INPUT_WINDOW: u32 = 64 * 1024;
/// The client acknowledges at the latest after so many parsed bytes…
pub const ACK_EVERY: u64 = 32 * 1024;
/// …or so long after data came.
pub const ACK_AFTER: Duration = Duration::from_millis(50);
/// Sustained input, bytes a second. Beyond it credit is withheld; nothing is dropped.
pub const INPUT_RATE: u32 = 64 * 1024;
/// Input accepted at once before [`INPUT_RATE`] counts: a large paste.
pub const INPUT_BURST: u32 = 256 * 1024;
/// How often the client measures the round trip while its page is visible.
pub const CLIENT_PING_EVERY: Duration = Duration::from_secs(5);
/// Client PING frames answered in one second.
pub const MAX_PINGS_PER_SECOND: u32 = 2;
/// RESIZE frames obeyed in one second; the last one of a burst always wins.
pub const MAX_RESIZES_PER_SECOND: u32 = 10;
/// Columns a terminal may have.
pub const COLUMNS: std::ops::RangeInclusive<u16> = 2..=500;
/// Rows a terminal may have.
pub const ROWS: std::ops::RangeInclusive<u16> = 1..=300;
/// How often the server sends a WebSocket ping.
pub const SERVER_PING_EVERY: Duration = Duration::from_secs(15);
/// A connection without any byte for so long is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(45);
/// A full output window without an ACK for so long is a slow consumer.
pub const SLOW_AFTER: Duration = Duration::from_secs(30);
/// The first type that a receiver skips when it does not know it.
pub const FIRST_IGNORABLE_TYPE: u8 = 0xC0;
