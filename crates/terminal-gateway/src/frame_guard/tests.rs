use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 70_000;

/// A header as a client writes it, however wrong, with its length in so many more bytes.
fn header(first: u8, length_bytes: usize, announced: u64) -> Vec<u8> {
    let code = [0, 0, 126, 0, 0, 0, 0, 0, 127][length_bytes];
    let short = u8::try_from(announced).unwrap_or_default();
    let mut bytes = vec![first, 0x80 | if code == 0 { short } else { code }];
    bytes.extend(&announced.to_be_bytes()[8 - length_bytes..]);
    bytes.extend([1, 2, 3, 4]);
    bytes
}

/// A frame with its length written as it must be.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length_bytes = match payload.len() {
        0..126 => 0,
        126..65_536 => 2,
        _ => 8,
    };
    let mut bytes = header(first, length_bytes, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

fn whole(length: usize) -> Vec<u8> {
    frame(0x82, &vec![0xFF; length])
}

/// Inspects byte by byte: where the stream ends and how.
fn ends_at(stream: &[u8]) -> Option<(usize, FrameFault)> {
    let mut guard = FrameGuard::new(LIMIT);
    let mut bytes = stream.iter().enumerate();
    bytes.find_map(|(at, byte)| Some((at, guard.inspect(&[*byte]).err()?)))
}

#[test]
fn each_fault_is_found_at_the_byte_that_shows_it() {
    let long = |announced| FrameFault::TooLong {
        announced,
        limit: LIMIT as u64,
    };
    let begun = frame(0x02, b"");
    let table: [(&[u8], usize, FrameFault); 20] = [
        (&[0xC2], 0, FrameFault::Reserved),
        (&[0xA2], 0, FrameFault::Reserved),
        (&[0x99], 0, FrameFault::Reserved),
        (&[0x83], 0, FrameFault::Opcode(3)),
        (&[0x87], 0, FrameFault::Opcode(7)),
        (&[0x8B], 0, FrameFault::Opcode(11)),
        (&[0x8F], 0, FrameFault::Opcode(15)),
        (&[0x81], 0, FrameFault::Text),
        (&[0x01], 0, FrameFault::Text),
        (&[0x80], 0, FrameFault::Order),
        (&[0x00], 0, FrameFault::Order),
        (&[&begun[..], &[0x82]].concat(), 6, FrameFault::Order),
        (&[&begun[..], &[0x81]].concat(), 6, FrameFault::Order),
        (&[0x09], 0, FrameFault::Control),
        (&header(0x88, 2, 126), 1, FrameFault::Control),
        (&[0x82, 0x05], 1, FrameFault::Unmasked),
        (&header(0x82, 2, 125), 3, FrameFault::Length),
        (&header(0x82, 8, 65_535), 9, FrameFault::Length),
        (&header(0x82, 8, 1 << 63), 9, FrameFault::Length),
        (&header(0x82, 8, 70_001), 9, long(70_001)),
    ];
    for (stream, at, fault) in table {
        assert_eq!(ends_at(stream), Some((at, fault)), "{stream:x?}");
    }
}

#[test]
fn a_payload_that_looks_like_a_header_is_not_one() {
    let inner = header(0x82, 8, 1 << 40);
    assert_eq!(ends_at(&frame(0x82, &inner)), None);
}

#[test]
fn nothing_after_a_close_passes_or_counts() {
    let stream = [whole(3), frame(0x88, b""), b"\xFF\xFFgarbage".to_vec()].concat();
    for cut in 0..=stream.len() {
        let mut guard = FrameGuard::new(LIMIT);
        let passed = [&stream[..cut], &stream[cut..]].map(|part| guard.inspect(part).unwrap());
        assert_eq!(passed[0] + passed[1], stream.len() - 9, "cut at {cut}");
    }
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..200_usize, 65_530..65_540_usize, Just(LIMIT)];
    prop_oneof![
        length.prop_map(whole),
        (0..200_usize, 0..200_usize).prop_map(|(first, last)| {
            let ping = frame(0x89, &vec![7; first.min(125)]);
            let (first, last) = (vec![0; first], vec![0; last]);
            [frame(0x02, &first), ping, frame(0x80, &last)].concat()
        }),
        (0..=125_usize).prop_map(|length| frame(0x8A, &vec![7; length])),
    ]
}

proptest! {
    #[test]
    fn what_a_client_may_send_passes_however_it_is_cut(
        frames in vec(frames(), 0..6),
        cuts in vec(1..300_usize, 1..40),
    ) {
        let stream = frames.concat();
        let mut guard = FrameGuard::new(LIMIT);
        let (mut rest, mut passed) = (&stream[..], 0);
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            passed += guard.inspect(piece).unwrap();
            rest = after;
        }
        prop_assert_eq!(passed, stream.len());
    }

    #[test]
    fn any_bytes_are_judged_alike_wherever_they_are_cut(
        stream in vec(prop_oneof![any::<u8>(), Just(0x82), Just(0x80), Just(0xFE)], 0..80),
    ) {
        let judge = |parts: &[&[u8]]| {
            let mut guard = FrameGuard::new(LIMIT);
            parts.iter().try_fold(0, |sum, part| Ok(sum + guard.inspect(part)?))
        };
        let at_once: Result<usize, FrameFault> = judge(&[&stream]);
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            prop_assert_eq!(judge(&[first, second]), at_once);
        }
    }
}
