use proptest::prelude::*;

use super::*;
use crate::wire::CloseCode;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

/// An attach: when it was admitted, opened and over, and with which code.
type Attach = (i64, Option<i64>, Option<(i64, Option<CloseCode>)>);

fn evidence(attaches: &[Attach], until: i64) -> AccessEvidence {
    let attachment = |(epoch, attach): (i64, &Attach)| AttachmentRecord {
        epoch,
        attached_at: at(attach.0),
        opened_at: attach.1.map(at),
        seen_at: at(attach.2.map_or(until, |(end, _)| end)),
        detached_at: attach.2.map(|(end, _)| at(end)),
        close_code: attach
            .2
            .and_then(|(_, code)| code)
            .map(|code| i32::from(code.number())),
    };
    AccessEvidence {
        attachments: (1..).zip(attaches).map(attachment).collect(),
        refusals: Vec::new(),
        outages: Vec::new(),
        downtimes: Vec::new(),
        clock: Span {
            from: at(0),
            until: at(until),
        },
        ended: false,
    }
}

fn span(from: i64, until: i64) -> Span {
    Span {
        from: at(from),
        until: at(until),
    }
}

/// `platform 10..14 restart`, and `-` for an end that is not known yet.
fn told(evidence: &AccessEvidence) -> Vec<String> {
    let line = |it: &Interruption| {
        let second = |at: DateTime<Utc>| at.timestamp().to_string();
        let until = it.until.map_or("-".to_owned(), second);
        let whose = it.charged_to.as_str();
        format!("{whose} {}..{until} {}", second(it.from), it.cause)
    };
    find_interruptions(evidence).iter().map(line).collect()
}

const fn closed(at: i64, code: CloseCode) -> (i64, Option<CloseCode>) {
    (at, Some(code))
}

#[test]
fn a_terminal_that_stays_is_no_interruption_and_a_takeover_is_none_either() {
    assert_eq!(told(&evidence(&[(0, Some(0), None)], 100)), [""; 0]);
    let takeover = [
        (0, Some(0), Some(closed(51, CloseCode::Superseded))),
        (50, Some(50), None),
    ];
    assert_eq!(told(&evidence(&takeover, 100)), [""; 0]);
}

#[test]
fn a_restart_is_the_platform_s_until_the_shell_is_back_and_leaving_is_the_candidate_s() {
    let restart = [
        (0, Some(0), Some(closed(10, CloseCode::Restart))),
        (14, Some(15), None),
    ];
    assert_eq!(told(&evidence(&restart, 100)), ["platform 10..15 restart"]);
    let left = [
        (0, Some(0), Some(closed(10, CloseCode::GoingAway))),
        (60, Some(60), None),
    ];
    assert_eq!(told(&evidence(&left, 100)), ["candidate 10..60 going_away"]);
}

#[test]
fn a_shell_that_is_slow_to_open_costs_the_platform_also_when_the_candidate_had_left() {
    let slow = [
        (0, Some(0), Some(closed(10, CloseCode::GoingAway))),
        (60, Some(72), None),
    ];
    assert_eq!(
        told(&evidence(&slow, 100)),
        ["candidate 10..60 going_away", "platform 60..72 opening"]
    );
}

#[test]
fn attaches_that_never_open_are_the_platform_s_from_the_first_try_to_the_one_that_does() {
    let tries = [
        (0, None, Some(closed(15, CloseCode::ExecFailed))),
        (20, None, Some(closed(35, CloseCode::ExecFailed))),
        (40, Some(41), None),
    ];
    assert_eq!(
        told(&evidence(&tries, 100)),
        ["platform 0..15 opening", "platform 15..41 exec_failed"]
    );
    assert_eq!(
        platform_time(&find_interruptions(&evidence(&tries, 100))),
        TimeDelta::seconds(41)
    );
}

#[test]
fn a_process_that_fell_silent_is_charged_since_it_was_last_heard_of() {
    let lost = [(0, Some(0), Some((30, None))), (41, Some(41), None)];
    assert_eq!(
        told(&evidence(&lost, 100)),
        ["platform 30..41 process_lost"]
    );
}

#[test]
fn a_process_lost_while_its_shell_opened_is_one_interruption() {
    let lost = [
        (0, Some(2), Some((1, None))),
        (41, Some(41), Some(closed(60, CloseCode::GoingAway))),
    ];
    let told = told(&evidence(&lost, 60));
    assert_eq!(
        told,
        ["platform 0..2 opening", "platform 2..41 process_lost"]
    );
}

#[test]
fn whoever_does_not_come_back_in_time_has_left() {
    let slow = [
        (0, Some(0), Some(closed(10, CloseCode::Restart))),
        (400, Some(400), None),
    ];
    assert_eq!(
        told(&evidence(&slow, 500)),
        ["platform 10..130 restart", "candidate 130..400 not_back"]
    );
}

fn turned_away(seconds: &[i64]) -> Vec<RefusalRecord> {
    let at_second = |second: &i64| RefusalRecord {
        at: at(*second),
        cause: "terminal.busy".to_owned(),
    };
    seconds.iter().map(at_second).collect()
}

#[test]
fn who_is_turned_away_is_kept_out_by_the_platform_until_they_are_let_or_give_up() {
    let left = [
        (0, Some(0), Some(closed(10, CloseCode::GoingAway))),
        (90, Some(90), None),
    ];
    let let_in = AccessEvidence {
        refusals: turned_away(&[60, 70, 80]),
        ..evidence(&left, 100)
    };
    assert_eq!(
        told(&let_in),
        [
            "candidate 10..60 going_away",
            "platform 60..90 terminal.busy"
        ]
    );
    let given_up = AccessEvidence {
        refusals: turned_away(&[60]),
        ..evidence(&left[..1], 400)
    };
    assert_eq!(
        told(&given_up),
        [
            "candidate 10..60 going_away",
            "platform 60..180 terminal.busy",
            "candidate 180..- not_back"
        ]
    );
    let beside = AccessEvidence {
        refusals: turned_away(&[50]),
        ..evidence(&[(0, Some(0), None)], 100)
    };
    assert_eq!(told(&beside), [""; 0], "another page of theirs has it");
}

#[test]
fn nobody_comes_back_while_no_process_lives() {
    let down = AccessEvidence {
        downtimes: vec![span(20, 620)],
        ..evidence(
            &[
                (0, Some(0), Some(closed(10, CloseCode::Restart))),
                (700, Some(700), None),
            ],
            800,
        )
    };
    assert_eq!(
        told(&down),
        [
            "platform 10..20 restart",
            "platform 20..620 service_down",
            "platform 620..700 restart",
        ]
    );
    assert_eq!(
        platform_time(&find_interruptions(&down)),
        TimeDelta::seconds(690)
    );
}

#[test]
fn a_downtime_is_the_platform_s_even_where_the_candidate_had_left_before() {
    let away = AccessEvidence {
        downtimes: vec![span(100, 200)],
        ..evidence(
            &[
                (0, Some(0), Some(closed(50, CloseCode::GoingAway))),
                (300, Some(300), None),
            ],
            400,
        )
    };
    assert_eq!(
        told(&away),
        [
            "candidate 50..100 going_away",
            "platform 100..200 service_down",
            "candidate 200..300 going_away",
        ]
    );
}

#[test]
fn what_goes_on_has_no_end_yet_and_what_the_session_s_end_cut_has() {
    let gone = [(0, Some(0), Some(closed(90, CloseCode::EnvironmentGone)))];
    let live = evidence(&gone, 100);
    assert_eq!(told(&live), ["platform 90..- environment_gone"]);
    assert_eq!(
        platform_time(&find_interruptions(&live)),
        TimeDelta::zero(),
        "nothing is owed before it is over"
    );
    let ended = AccessEvidence {
        ended: true,
        ..live
    };
    assert_eq!(told(&ended), ["platform 90..100 environment_gone"]);
}

#[test]
fn outages_under_an_open_terminal_count_and_overlaps_count_once() {
    let outage = |from, until, cause: &str| OutageRecord {
        epoch: 1,
        began_at: at(from),
        ended_at: at(until),
        cause: cause.to_owned(),
    };
    let both = AccessEvidence {
        outages: vec![outage(10, 30, "leg_lost"), outage(20, 40, "input_frozen")],
        ..evidence(&[(0, Some(0), None)], 100)
    };
    assert_eq!(
        told(&both),
        ["platform 10..30 leg_lost", "platform 20..40 input_frozen"]
    );
    assert_eq!(
        platform_time(&find_interruptions(&both)),
        TimeDelta::seconds(30)
    );
}

#[test]
fn before_the_clock_runs_and_for_less_than_a_second_nothing_is_told() {
    let early = AccessEvidence {
        clock: span(50, 100),
        ..evidence(&[(10, Some(50), None)], 100)
    };
    assert_eq!(told(&early), [""; 0]);
}

proptest! {
    /// Whatever the attaches: what is told lies within the clock, forward, without overlap, and a shell
    /// was open in none of it.
    #[test]
    fn gaps_are_in_order_and_nobody_had_a_shell_then(
        attaches in prop::collection::vec((0i64..900, 0i64..60, 0i64..200, 0usize..30), 0..6),
        down in prop::option::of((0i64..900, 1i64..200)),
        ended: bool,
    ) {
        let attaches: Vec<Attach> = attaches
            .into_iter()
            .map(|(from, opens, lasts, code)| {
                let opened = (opens < 30).then_some(from + opens);
                let code = CloseCode::ALL.get(code).copied();
                (from, opened, Some((from + opens + lasts, code)))
            })
            .collect();
        let evidence = AccessEvidence {
            downtimes: down.iter().map(|(from, lasts)| span(*from, from + lasts)).collect(),
            ended,
            ..evidence(&attaches, 1_000)
        };
        let found = find_interruptions(&evidence);
        let mut before = at(0);
        for it in &found {
            let until = it.until.unwrap_or(at(1_000));
            prop_assert!(before <= it.from && it.from < until && until <= at(1_000));
            prop_assert_eq!(it.until.is_none(), !ended && until == at(1_000));
            for attachment in &evidence.attachments {
                if let (Some(opened), Some(over)) = (attachment.opened_at, attachment.detached_at) {
                    prop_assert!(until <= opened || over <= it.from);
                }
            }
            before = until;
        }
    }
}
