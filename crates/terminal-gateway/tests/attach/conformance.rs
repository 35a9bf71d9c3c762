//! RFC 6455 by hand: what a client may write is taken, and each thing it may not ends with its code.

use environment_access::wire::limits;
use sqlx::PgPool;

use crate::bench::{Bench, owner};
use crate::raw::{Answer, Raw, close, frame, header};

/// The first byte of a message that is to be skipped.
const SKIPPED: u8 = 0xC0;
const MOST: usize = limits::MAX_CLIENT_MESSAGE;

/// A message that is taken and has no effect.
fn skipped(length: usize) -> Vec<u8> {
    vec![SKIPPED; length]
}

/// A message in frames of so many bytes, with `between` after each but the last.
fn fragments(message: &[u8], size: usize, between: &[u8]) -> Vec<u8> {
    let count = message.len().div_ceil(size);
    let parts = message.chunks(size).enumerate().map(|(number, part)| {
        let opcode = if number == 0 { 0x02 } else { 0x00 };
        let is_last = number + 1 == count;
        let frame = frame(opcode | if is_last { 0x80 } else { 0 }, part);
        [&frame[..], if is_last { b"" } else { between }].concat()
    });
    parts.flatten().collect()
}

/// What has to be taken, and how often it asks for a PONG.
fn sound() -> Vec<(&'static str, Vec<u8>, usize)> {
    let ping = frame(0x89, b"in the middle");
    vec![
        ("an empty PING", frame(0x89, b""), 1),
        ("a PING of bytes", frame(0x89, &[0x00, 0xFF, 0xFE]), 1),
        ("the longest PING", frame(0x89, &[0xFE; 125]), 1),
        ("ten PINGs at once", frame(0x89, b"again").repeat(10), 10),
        ("an empty PONG", frame(0x8A, b""), 0),
        ("a PONG that answers nothing", frame(0x8A, b"why"), 0),
        (
            "a PONG between two PINGs",
            [frame(0x89, b"1"), frame(0x8A, b""), frame(0x89, b"2")].concat(),
            2,
        ),
        ("one byte", frame(0x82, &skipped(1)), 0),
        ("the longest short length", frame(0x82, &skipped(125)), 0),
        (
            "the shortest length of two bytes",
            frame(0x82, &skipped(126)),
            0,
        ),
        ("one more", frame(0x82, &skipped(127)), 0),
        ("two more", frame(0x82, &skipped(128)), 0),
        ("the longest message", frame(0x82, &skipped(MOST)), 0),
        (
            "twenty messages at once",
            frame(0x82, &skipped(9)).repeat(20),
            0,
        ),
        ("two fragments", fragments(&skipped(20), 10, b""), 0),
        ("a fragment a byte", fragments(&skipped(64), 1, b""), 0),
        (
            "the longest message in fragments",
            fragments(&skipped(MOST), 1000, b""),
            0,
        ),
        (
            "a PING between fragments",
            fragments(&skipped(20), 10, &ping),
            1,
        ),
        (
            "PINGs between many fragments",
            fragments(&skipped(50), 10, &ping),
            4,
        ),
        (
            "a PONG between fragments",
            fragments(&skipped(20), 10, &frame(0x8A, b"x")),
            0,
        ),
        (
            "an empty first fragment",
            [frame(0x02, b""), frame(0x80, &skipped(3))].concat(),
            0,
        ),
        (
            "an empty last fragment",
            [frame(0x02, &skipped(3)), frame(0x80, b"")].concat(),
            0,
        ),
        (
            "empty fragments between",
            [
                frame(0x02, &skipped(3)),
                frame(0x00, b"").repeat(9),
                frame(0x80, b""),
            ]
            .concat(),
            0,
        ),
    ]
}

/// Frames that end the connection, and with which code.
fn unsound() -> Vec<(&'static str, Vec<u8>, u16)> {
    let begun = || frame(0x02, &skipped(3));
    let after_begun = |bytes: Vec<u8>| [begun(), bytes].concat();
    let unmasked = [&[0x82, 3][..], &skipped(3)].concat();
    vec![
        ("reserved bit 1", frame(0xC2, &skipped(3)), 1002),
        ("reserved bit 2", frame(0xA2, &skipped(3)), 1002),
        ("reserved bit 3", frame(0x92, &skipped(3)), 1002),
        ("all reserved bits", frame(0xF2, &skipped(3)), 1002),
        ("a reserved bit on a PING", frame(0xC9, b""), 1002),
        ("a reserved bit on a CLOSE", frame(0xC8, b""), 1002),
        (
            "a reserved bit on a continuation",
            after_begun(frame(0xC0, b"")),
            1002,
        ),
        ("opcode 3", frame(0x83, b""), 1002),
        ("opcode 4", frame(0x84, b"x"), 1002),
        ("opcode 5", frame(0x85, b""), 1002),
        ("opcode 6", frame(0x86, b"x"), 1002),
        ("opcode 7", frame(0x87, b""), 1002),
        ("opcode 11", frame(0x8B, b""), 1002),
        ("opcode 12", frame(0x8C, b"x"), 1002),
        ("opcode 13", frame(0x8D, b""), 1002),
        ("opcode 14", frame(0x8E, b"x"), 1002),
        ("opcode 15", frame(0x8F, b""), 1002),
        ("an unmasked message", unmasked, 1002),
        ("an unmasked PING", vec![0x89, 0], 1002),
        ("a PING of 126 bytes", frame(0x89, &[0; 126]), 1002),
        (
            "the header of a PING of 126 bytes, and silence",
            header(0x89, 2, 126),
            1002,
        ),
        ("a PONG of 126 bytes", frame(0x8A, &[0; 126]), 1002),
        ("a PING in fragments", frame(0x09, b""), 1002),
        ("a CLOSE in fragments", frame(0x08, b""), 1002),
        (
            "a last continuation of nothing",
            frame(0x80, &skipped(3)),
            1002,
        ),
        ("a continuation of nothing", frame(0x00, &skipped(3)), 1002),
        (
            "a continuation after a whole message",
            [frame(0x82, &skipped(3)), frame(0x80, b"")].concat(),
            1002,
        ),
        (
            "a message within another",
            after_begun(frame(0x82, &skipped(3))),
            1002,
        ),
        ("a begun message within another", after_begun(begun()), 1002),
        (
            "text within a message",
            after_begun(frame(0x81, b"text")),
            1002,
        ),
    ]
}

/// Lengths that are too long or not written as they must be, and text.
fn unfit() -> Vec<(&'static str, Vec<u8>, u16)> {
    let much = |length_bytes, length| header(0x82, length_bytes, length);
    vec![
        ("an empty message", frame(0x82, b""), 1002),
        (
            "125 written in two bytes",
            [much(2, 125), skipped(125)].concat(),
            1002,
        ),
        ("nothing written in two bytes", much(2, 0), 1002),
        (
            "125 written in eight bytes",
            [much(8, 125), skipped(125)].concat(),
            1002,
        ),
        ("65,535 written in eight bytes", much(8, 65_535), 1002),
        ("2^63, and silence", much(8, 1 << 63), 1002),
        ("2^64 - 1, and silence", much(8, u64::MAX), 1002),
        ("2^63 - 1, and silence", much(8, (1 << 63) - 1), 1009),
        ("2^40, and silence", much(8, 1 << 40), 1009),
        ("600 MiB, and silence", much(8, 600 << 20), 1009),
        ("65,536, and silence", much(8, 65_536), 1009),
        ("65,535, and silence", much(2, 65_535), 1009),
        (
            "one byte too much, and silence",
            much(2, MOST as u64 + 1),
            1009,
        ),
        ("one byte too much", frame(0x82, &skipped(MOST + 1)), 1009),
        (
            "too much in a fragment",
            frame(0x02, &skipped(MOST + 1)),
            1009,
        ),
        (
            "too much in all fragments",
            fragments(&skipped(MOST + 1), 4096, b""),
            1009,
        ),
        ("text", frame(0x81, b"hello"), 1003),
        ("empty text", frame(0x81, b""), 1003),
        (
            "text that is no UTF-8",
            frame(0x81, &[0xCE, 0xBA, 0xED, 0xA0, 0x80]),
            1003,
        ),
        (
            "text in fragments",
            [frame(0x01, b"hel"), frame(0x80, b"lo")].concat(),
            1003,
        ),
        ("much text, and silence", header(0x81, 8, 1 << 40), 1003),
    ]
}

/// CLOSEs and whether they may be.
fn closes() -> Vec<(&'static str, Vec<u8>, u16)> {
    let long = [b'*'; 123];
    let mut table = vec![
        ("no code", frame(0x88, b""), 1001),
        ("a reason", close(1000, b"done"), 1001),
        ("a reason in UTF-8", close(1000, "Käse".as_bytes()), 1001),
        ("the longest reason", close(1000, &long), 1001),
        (
            "a PING behind it",
            [close(1000, b""), frame(0x89, b"x")].concat(),
            1001,
        ),
        ("a second one behind it", close(1000, b"").repeat(2), 1001),
        (
            "text behind it",
            [close(1000, b""), frame(0x81, b"x")].concat(),
            1001,
        ),
        (
            "noise behind it",
            [close(1000, b""), vec![0xFF; 99]].concat(),
            1001,
        ),
        (
            "a message left open",
            [frame(0x02, b"\xC0"), close(1000, b"")].concat(),
            1001,
        ),
        ("half a code", frame(0x88, &[3]), 1002),
        (
            "a reason that is no UTF-8",
            close(1000, &[0xCE, 0xBA, 0xED, 0xA0, 0x80]),
            1002,
        ),
        ("too long a reason", close(1000, &[b'*'; 124]), 1002),
    ];
    let sound = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ];
    table.extend(sound.map(|code| ("a code that may be", close(code, b""), 1001)));
    let unsound = [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    table.extend(unsound.map(|code| ("a code that may not be", close(code, b""), 1002)));
    table
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_a_client_may_write_is_taken_however_it_is_cut(pool: PgPool) {
    let bench = Bench::start(pool).await;
    for cut in [usize::MAX, 7, 1] {
        let mut raw = Raw::attach(&bench).await;
        for (name, bytes, pongs) in sound() {
            // Byte by byte the long ones would take a while and show nothing more.
            if cut == 1 && bytes.len() > 2000 {
                continue;
            }
            for piece in bytes.chunks(cut) {
                raw.send(piece).await;
            }
            assert_taken(&mut raw, name, pongs).await;
        }
    }
}

/// A server may answer only the last of several PINGs. One by itself it has to.
async fn assert_taken(raw: &mut Raw, name: &str, mut pongs: usize) {
    if pongs == 1 {
        let answer = raw.next().await;
        assert!(
            matches!(answer, Answer::Frame(0x8A, _)),
            "{name}: {answer:?}"
        );
        pongs = 0;
    }
    raw.send(&frame(0x89, name.as_bytes())).await;
    loop {
        match raw.next().await {
            Answer::Frame(0x8A, said) if said == name.as_bytes() => return,
            Answer::Frame(0x8A, _) if pongs > 0 => pongs -= 1,
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_a_client_may_not_write_ends_with_its_code_and_nothing_else(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = owner();
    let cases = [unsound(), unfit(), closes()].concat();
    let mut wrong = Vec::new();
    // As many at once as one user may have waiting: each socket lingers a moment after its CLOSE.
    for some in cases.chunks(4) {
        for cut in [usize::MAX, 1] {
            let tries = some.iter().map(|case| told(&bench, &token, case, cut));
            wrong.extend(
                futures_util::future::join_all(tries)
                    .await
                    .into_iter()
                    .flatten(),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a case ended with, if that is not what it should have.
async fn told(
    bench: &Bench,
    token: &str,
    (name, bytes, code): &(&str, Vec<u8>, u16),
    cut: usize,
) -> Option<String> {
    // Byte by byte the long ones would take a while and show nothing more.
    if cut == 1 && bytes.len() > 200 {
        return None;
    }
    let mut raw = Raw::open(bench, token).await;
    for piece in bytes.chunks(cut) {
        raw.send(piece).await;
    }
    let told = raw.only_close().await;
    (told != Some(*code)).then(|| format!("{name}, in {cut}: {told:?} and not {code}"))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn typed_bytes_in_fragments_reach_the_shell_as_one_message(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let mut raw = Raw::attach(&bench).await;
    let typed = [&[0x02, 0, 0, 0, 0, 0, 0, 0, 0][..], b"echo \xE2\x82\xAC\r"].concat();
    raw.send(&fragments(&typed, 1, &frame(0x89, b""))).await;
    let mut echo: Vec<u8> = Vec::new();
    while echo.len() < typed.len() - 9 {
        match raw.next().await {
            Answer::Frame(0x82, said) if said[0] == 0x82 => echo.extend(&said[1..]),
            Answer::Frame(..) => {}
            Answer::End => panic!("closed after {echo:?}"),
        }
    }
    assert_eq!(echo, typed[9..]);
    assert_eq!(bench.keeper.typed(), typed[9..]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn once_attached_a_broken_frame_ends_it_with_the_same_codes(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let table = [
        (frame(0x81, b"x"), 1003),
        (header(0x82, 8, 1 << 40), 1009),
        (frame(0x8F, b""), 1002),
        (close(1005, b""), 1002),
        (close(1000, b""), 1001),
    ];
    for (bytes, code) in table {
        let mut raw = Raw::attach(&bench).await;
        raw.send(&bytes).await;
        assert_eq!(raw.only_close().await, Some(code));
    }
}
