//! Each kind of violation is found, and a sound story is not called one.

use super::*;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn job(number: u128) -> JobRow {
    JobRow {
        id: id(number),
        state: "done".to_owned(),
        key: None,
        attempt: 1,
        max_attempts: 3,
        crash_count: 1,
        run_token: 2,
        outcome_class: None,
        has_lease: false,
        has_end: true,
        run_at_ms: 0,
    }
}

fn run(number: u128, run_token: i64, outcome: &str) -> AttemptRow {
    AttemptRow {
        job_id: id(number),
        run_token,
        outcome: outcome.to_owned(),
        started_at_ms: run_token * 1_000,
        finished_at_ms: run_token * 1_000 + 900,
    }
}

fn change(number: u128, was: Option<(&str, i64)>, became: (&str, i64)) -> Change {
    Change {
        job_id: id(number),
        key: None,
        lease_was_over: (was.is_some_and(|was| was.0 == "running")).then_some(true),
        was: was.map(|(state, token)| (state.to_owned(), token)),
        became: (became.0.to_owned(), became.1),
    }
}

#[test]
fn runs_at_once_are_counted_by_what_has_begun_and_not_ended() {
    let changes = [
        change(1, Some(("ready", 0)), ("running", 1)),
        change(2, Some(("ready", 0)), ("running", 1)),
        change(1, Some(("running", 1)), ("ready", 1)),
        change(3, Some(("ready", 0)), ("running", 1)),
        // Taken over: it ran already.
        change(2, Some(("running", 1)), ("running", 2)),
    ];
    assert_eq!(most_at_once(&changes), 2);
}

/// One job whose first run crashed and whose second one did it.
fn sound() -> Evidence {
    Evidence {
        intents: vec![Intent::acknowledged(id(1), Some("a"))],
        jobs: vec![job(1)],
        attempts: vec![run(1, 1, "lease_expired"), run(1, 2, "done")],
        ledger: vec![Entry {
            job_id: id(1),
            run_token: 2,
            effect: "a".to_owned(),
            is_gated: false,
        }],
        changes: vec![
            change(1, None, ("ready", 0)),
            change(1, Some(("ready", 0)), ("running", 1)),
            change(1, Some(("running", 1)), ("running", 2)),
            change(1, Some(("running", 2)), ("done", 2)),
        ],
        operated: HashSet::new(),
    }
}

#[track_caller]
fn finds(evidence: &Evidence, said: &str) {
    let found = violations(evidence);
    assert!(
        found.iter().any(|line| line.contains(said)),
        "{said}: {found:?}"
    );
}

#[test]
fn a_sound_story_breaks_nothing() {
    assert_eq!(violations(&sound()), Vec::<String>::new());
}

#[test]
fn a_lost_job_is_found_and_one_nobody_asked_for() {
    let mut evidence = sound();
    evidence.intents.push(Intent::acknowledged(id(2), None));
    finds(&evidence, "is lost");
    let mut evidence = sound();
    evidence.jobs.push(job(3));
    finds(&evidence, "nobody asked for job");
}

#[test]
fn a_job_in_doubt_may_be_there_or_not() {
    let mut evidence = sound();
    evidence.intents[0].is_acknowledged = false;
    evidence.intents.push(Intent::in_doubt(id(2), Some("b")));
    assert_eq!(violations(&evidence), Vec::<String>::new());
}

#[test]
fn a_row_without_a_next_step_is_found() {
    for (state, has_lease, has_end) in [
        ("running", false, false),
        ("ready", true, false),
        ("done", false, false),
        ("lost", false, true),
    ] {
        let mut evidence = sound();
        evidence.jobs[0] = JobRow {
            state: state.to_owned(),
            has_lease,
            has_end,
            ..job(1)
        };
        finds(&evidence, "without a next step");
    }
}

#[test]
fn attempts_and_crashes_beyond_their_limits_are_found() {
    let mut evidence = sound();
    evidence.jobs[0].attempt = 4;
    finds(&evidence, "took 4 attempts");
    let mut evidence = sound();
    evidence.jobs[0].crash_count = 4;
    finds(&evidence, "crashed 4 times");
}

#[test]
fn two_live_jobs_of_one_key_are_found_in_the_rows_and_in_the_diary() {
    let mut evidence = sound();
    for number in [2, 3] {
        evidence.jobs.push(JobRow {
            state: "ready".to_owned(),
            key: Some("k".to_owned()),
            has_end: false,
            ..job(number)
        });
    }
    finds(&evidence, "two live jobs have the key k");
    let mut evidence = sound();
    for number in [2, 3] {
        evidence.changes.push(Change {
            key: Some("k".to_owned()),
            ..change(number, None, ("ready", 0))
        });
    }
    finds(&evidence, "lived with the key k");
}

#[test]
fn a_doubled_a_missing_and_an_unasked_effect_are_found() {
    let mut evidence = sound();
    evidence.ledger.push(evidence.ledger[0].clone());
    finds(&evidence, "a happened 2 times");
    let mut evidence = sound();
    evidence.ledger.clear();
    finds(&evidence, "a was promised and never happened");
    let mut evidence = sound();
    evidence.intents[0].effect = None;
    finds(&evidence, "nobody asked for it");
}

#[test]
fn an_effect_recorded_by_a_run_that_is_not_down_as_done_is_found() {
    let mut evidence = sound();
    evidence.ledger[0].run_token = 1;
    finds(&evidence, "not down as done");
    evidence.ledger[0].is_gated = true;
    assert_eq!(violations(&evidence), Vec::<String>::new());
}

#[test]
fn runs_out_of_order_beyond_the_job_or_done_twice_are_found() {
    let mut evidence = sound();
    evidence.attempts[0].finished_at_ms = 9_000;
    finds(&evidence, "no larger token");
    let mut evidence = sound();
    evidence.attempts.push(run(1, 3, "retry"));
    finds(&evidence, "beyond the job's");
    let mut evidence = sound();
    evidence.attempts[0].outcome = "done".to_owned();
    finds(&evidence, "2 runs are down as done");
    let mut evidence = sound();
    evidence.attempts[1].outcome = "dead".to_owned();
    finds(&evidence, "0 runs are down as done");
}

#[test]
fn a_change_after_the_end_is_found_unless_an_operator_acted() {
    let mut evidence = sound();
    evidence
        .changes
        .push(change(1, Some(("done", 2)), ("ready", 2)));
    finds(&evidence, "although it had ended");
    evidence.operated.insert(id(1));
    assert_eq!(violations(&evidence), Vec::<String>::new());
}

#[test]
fn a_claim_without_a_larger_token_is_found() {
    let mut evidence = sound();
    evidence.changes[1].became.1 = 0;
    finds(&evidence, "without a larger token");
    let mut evidence = sound();
    evidence.changes[3].became.1 = 1;
    finds(&evidence, "without a larger token");
}

#[test]
fn a_claim_under_a_lease_that_still_held_is_found() {
    let mut evidence = sound();
    evidence.changes[2].lease_was_over = Some(false);
    finds(&evidence, "under a lease that still held");
}
