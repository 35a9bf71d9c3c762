use std::time::Duration;

use environment_access::wire::limits;

use super::*;

fn output(frame: &Bytes) -> Bytes {
    match ServerFrame::decode(frame).unwrap() {
        ServerFrame::Output { bytes } => bytes,
        other => panic!("{other:?}"),
    }
}

fn bytes(length: usize) -> Bytes {
    (0..length)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect()
}

/// What goes next once nothing waits for more any longer.
fn next(outbox: &mut Outbox) -> Option<Bytes> {
    let now = Instant::now() + Duration::from_mins(1);
    let until = outbox.held_until(now).unwrap_or(now);
    next_at(outbox, until)
}

fn next_at(outbox: &mut Outbox, now: Instant) -> Option<Bytes> {
    outbox.next(now).map(Message::into_frame)
}

fn pong(opaque: u64) -> ServerFrame {
    ServerFrame::Pong {
        opaque,
        leg_micros: 0,
    }
}

#[test]
fn of_acknowledgements_of_input_that_wait_only_the_newest_goes() {
    let mut outbox = Outbox::new(0);
    let ack = |offset| ServerFrame::InputAck { offset, credit: 64 };
    outbox.push(0, bytes(10)).unwrap();
    for offset in 0..10_000 {
        outbox.input_ack(&ack(offset));
    }
    outbox.control(&pong(1));
    assert_eq!(next(&mut outbox), Some(pong(1).encode()));
    assert!(!outbox.is_empty());
    assert_eq!(next(&mut outbox), Some(ack(9_999).encode()));
    assert_eq!(output(&next(&mut outbox).unwrap()), bytes(10));
}

#[test]
fn control_overtakes_output_and_keeps_its_order() {
    let mut outbox = Outbox::new(0);
    outbox.push(0, bytes(10)).unwrap();
    outbox.control(&pong(1));
    outbox.control(&pong(2));
    assert_eq!(next(&mut outbox), Some(pong(1).encode()));
    assert_eq!(next(&mut outbox), Some(pong(2).encode()));
    assert_eq!(output(&next(&mut outbox).unwrap()), bytes(10));
    assert_eq!(next(&mut outbox), None);
    assert!(outbox.is_empty() && !outbox.has_next(Instant::now()));
}

#[test]
fn output_stops_at_the_window_and_goes_on_with_an_acknowledgement() {
    let window = usize::try_from(limits::OUTPUT_WINDOW).unwrap();
    let all = bytes(window + 5);
    let mut outbox = Outbox::new(7);
    outbox.push(7, all.clone()).unwrap();
    let mut got = Vec::new();
    while let Some(frame) = next(&mut outbox) {
        assert!(frame.len() <= 1 + limits::MAX_OUTPUT);
        got.extend(output(&frame));
    }
    assert_eq!(got, all[..window]);
    assert_eq!(outbox.waits_at(), Some(7 + limits::OUTPUT_WINDOW));
    assert!(!outbox.has_next(Instant::now()));
    outbox.control(&pong(1));
    assert!(
        outbox.has_next(Instant::now()),
        "control does not wait for the window"
    );
    next(&mut outbox).unwrap();
    assert_eq!(outbox.ack(7 + 5), Ok(true));
    assert_eq!(outbox.ack(7 + 5), Ok(false));
    got.extend(output(&next(&mut outbox).unwrap()));
    assert_eq!(got, all);
    assert_eq!(outbox.waits_at(), None);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut outbox = Outbox::new(7);
    outbox.push(7, bytes(10)).unwrap();
    assert!(outbox.ack(8).is_err(), "queued is not sent");
    next(&mut outbox).unwrap();
    assert_eq!(outbox.ack(17), Ok(true));
}

#[test]
fn many_small_pieces_are_joined_into_bulk_frames() {
    let mut outbox = Outbox::new(0);
    for piece in 0..1000 {
        outbox.push(piece * 33, bytes(33)).unwrap();
    }
    let frames: Vec<_> = std::iter::from_fn(|| next(&mut outbox)).collect();
    assert_eq!(frames.len(), 33_000_usize.div_ceil(limits::MAX_OUTPUT));
    let joined: Vec<u8> = frames.iter().flat_map(output).collect();
    assert_eq!(joined, bytes(33).repeat(1000));
}

#[test]
fn what_a_new_leg_repeats_is_skipped_and_a_gap_is_refused() {
    let mut outbox = Outbox::new(100);
    outbox.push(100, Bytes::from_static(b"abc")).unwrap();
    outbox.push(100, Bytes::from_static(b"abc")).unwrap();
    outbox.push(101, Bytes::from_static(b"bcde")).unwrap();
    outbox.push(0, Bytes::from_static(b"long ago")).unwrap();
    assert_eq!(outbox.received(), 105);
    assert!(outbox.push(106, Bytes::from_static(b"x")).is_err());
    assert_eq!(output(&next(&mut outbox).unwrap()).as_ref(), b"abcde");
}

#[test]
fn the_end_of_a_replay_stands_exactly_where_it_belongs() {
    let mut outbox = Outbox::new(0);
    let replay = Replay {
        mark: ReplayMark::Begin,
        from: 0,
        to: 10,
        truncated: true,
    };
    outbox.replay(replay);
    outbox.push(0, bytes(6)).unwrap();
    outbox.push(6, bytes(6)).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| next(&mut outbox)).collect();
    assert_eq!(frames[0], ServerFrame::Replay(replay).encode());
    assert_eq!(output(&frames[1]).len(), 10);
    let end = Replay {
        mark: ReplayMark::End,
        ..replay
    };
    assert_eq!(frames[2], ServerFrame::Replay(end).encode());
    assert_eq!(output(&frames[3]).len(), 2);
    assert_eq!(frames.len(), 4);
}

#[test]
fn a_replay_of_nothing_ends_at_once() {
    let mut outbox = Outbox::new(9);
    let replay = Replay {
        mark: ReplayMark::Begin,
        from: 9,
        to: 9,
        truncated: true,
    };
    outbox.replay(replay);
    assert_eq!(std::iter::from_fn(|| next(&mut outbox)).count(), 2);
}

#[test]
fn the_last_frame_follows_the_last_byte() {
    let mut outbox = Outbox::new(0);
    outbox.last(&pong(9));
    outbox.push(0, bytes(3)).unwrap();
    assert_eq!(output(&next(&mut outbox).unwrap()).len(), 3);
    assert!(!outbox.is_empty());
    assert_eq!(next(&mut outbox), Some(pong(9).encode()));
    assert!(outbox.is_empty());
}

#[test]
fn under_load_a_frame_that_is_not_full_waits_a_moment_and_control_does_not() {
    let (mut outbox, now) = (Outbox::new(0), Instant::now());
    outbox.push(0, bytes(2000)).unwrap();
    assert_eq!(output(&next_at(&mut outbox, now).unwrap()).len(), 2000);
    outbox.push(2000, bytes(30)).unwrap();
    let until = outbox.held_until(now).unwrap();
    assert!(!outbox.has_next(now) && outbox.has_next(until));
    assert_eq!(next_at(&mut outbox, now), None);
    outbox.control(&pong(1));
    assert_eq!(next_at(&mut outbox, now), Some(pong(1).encode()));
    outbox.push(2030, bytes(limits::MAX_OUTPUT)).unwrap();
    assert_eq!(
        output(&next_at(&mut outbox, now).unwrap()).len(),
        limits::MAX_OUTPUT,
        "a full one goes"
    );
    assert_eq!(next_at(&mut outbox, now), None);
    outbox.last(&pong(9));
    assert_eq!(
        output(&next_at(&mut outbox, now).unwrap()).len(),
        30,
        "no more will come"
    );
    assert_eq!(next_at(&mut outbox, now), Some(pong(9).encode()));
}

#[test]
fn as_much_as_the_window_takes_is_as_good_as_a_full_frame() {
    let window = usize::try_from(limits::OUTPUT_WINDOW).unwrap();
    let (mut outbox, now) = (Outbox::new(0), Instant::now());
    outbox.push(0, bytes(window + 100)).unwrap();
    while next_at(&mut outbox, now).is_some() {}
    outbox.ack(10).unwrap();
    assert_eq!(output(&next_at(&mut outbox, now).unwrap()).len(), 10);
}
