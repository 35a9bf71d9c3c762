use environment_access::wire::limits;

use super::credit::LEAST_GRANT;
use super::*;

const WINDOW: u64 = limits::INPUT_WINDOW as u64;

fn flow() -> (InputFlow, Instant) {
    let now = Instant::now();
    (InputFlow::new(100, now), now)
}

fn drain(flow: &mut InputFlow) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((_, chunk)) = flow.next_chunk() {
        out.extend(chunk);
    }
    out
}

#[test]
fn resent_bytes_are_taken_once() {
    let (mut flow, _) = flow();
    flow.accept(100, b"abc").unwrap();
    flow.accept(100, b"abc").unwrap();
    flow.accept(101, b"bcde").unwrap();
    assert_eq!(drain(&mut flow), b"abcde");
    assert_eq!(flow.next_chunk(), None);
}

#[test]
fn a_gap_and_too_much_are_refused_and_change_nothing() {
    let (mut flow, _) = flow();
    assert_eq!(flow.accept(101, b"x"), Err(InputError::Gap));
    let much = vec![b'x'; usize::try_from(WINDOW).unwrap() + 1];
    assert_eq!(flow.accept(100, &much), Err(InputError::BeyondCredit));
    assert!(!flow.has_work());
    flow.accept(100, &much[1..]).unwrap();
}

#[test]
fn a_new_leg_gets_exactly_what_the_shell_has_not() {
    let (mut flow, _) = flow();
    flow.accept(100, b"abcdef").unwrap();
    drain(&mut flow);
    flow.acknowledged(102);
    flow.rewind(104).unwrap();
    assert_eq!(flow.next_chunk(), Some((104, Bytes::from_static(b"ef"))));
    assert!(flow.rewind(103).is_err(), "bytes before 104 are given away");
    assert!(flow.rewind(107).is_err(), "bytes after 106 never came");
}

#[test]
fn credit_follows_the_shell() {
    let (mut flow, now) = flow();
    assert_eq!(flow.grant(now), None, "WELCOME said it");
    flow.accept(100, b"abc").unwrap();
    assert_eq!(flow.grant(now), None);
    flow.acknowledged(103);
    assert_eq!(
        flow.grant(now),
        Some(Grant {
            offset: 103,
            credit: limits::INPUT_WINDOW
        })
    );
    assert_eq!(flow.grant(now), None);
}

#[test]
fn a_flood_is_slowed_to_the_rate_and_loses_nothing() {
    let (mut flow, start) = flow();
    let block = vec![b'x'; limits::MAX_INPUT];
    let (mut sent, mut seconds) = (100_u64, 0_u64);
    let mut now = start;
    while seconds < 20 {
        let room = flow.credit.granted() - sent;
        let size = usize::try_from(room.min(limits::MAX_INPUT as u64)).unwrap();
        if size == 0 {
            now += Duration::from_secs(1);
            seconds += 1;
        } else {
            flow.accept(sent, &block[..size]).unwrap();
            sent += size as u64;
        }
        drain(&mut flow);
        flow.acknowledged(sent);
        flow.grant(now);
    }
    let allowed = u64::from(limits::INPUT_BURST) + 20 * u64::from(limits::INPUT_RATE);
    assert!(sent - 100 <= allowed, "{sent}");
    assert!(sent - 100 > allowed - 2 * WINDOW, "{sent}");
}

#[test]
fn whoever_used_the_burst_up_is_throttled_until_the_bucket_refills() {
    let (mut flow, now) = flow();
    for _ in 0..4 {
        let size = usize::try_from(flow.credit.granted() - flow.received).unwrap();
        flow.accept(flow.received, &vec![0; size]).unwrap();
        flow.acknowledged(flow.received);
        flow.grant(now);
    }
    assert!(flow.is_throttled(now));
    let later = now + flow.next_grant_in(now).unwrap();
    assert!(flow.grant(later).unwrap().credit >= LEAST_GRANT);
    assert!(!flow.is_throttled(later));
}

#[test]
fn a_keeper_that_answers_nonsense_does_no_harm() {
    let (mut flow, now) = flow();
    flow.accept(100, b"abc").unwrap();
    flow.acknowledged(u64::MAX);
    flow.acknowledged(0);
    assert_eq!(flow.grant(now).unwrap().offset, 103);
}
