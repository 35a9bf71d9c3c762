//! One document per state, and what holds in all of them.

use chrono::TimeDelta;
use execution_environment::EnvironmentState;
use serde_json::{Value, json};
use session_identity::{ExamSessionId, ExecutionEnvironmentId};
use session_lifecycle::SessionState;
use uuid::Uuid;

use super::*;
use crate::document::StageState::{self, Done, Failed, Pending};

fn start() -> DateTime<Utc> {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// A session as it is in `state`: claimed after 1 s, created after 3, ready after 4, attached
/// after 60, ended after 100.
pub(crate) fn row(state: SessionState) -> StatusRow {
    let reached = |other: SessionState, seconds| {
        (!state.is_terminal() && state >= other || state.is_terminal()).then(|| at(seconds))
    };
    let running_at = reached(SessionState::Running, 60);
    StatusRow {
        id: ExamSessionId::from_uuid(Uuid::from_u128(0x0198_2f6e_0000_7000_8000_0000_0000_0001)),
        user_id: "u-1042".to_owned(),
        environment_id: ExecutionEnvironmentId::from_uuid(Uuid::from_u128(2)),
        exam_name: "linux-fundamentals".to_owned(),
        exam_version: 3,
        exam_title: "Linux fundamentals".to_owned(),
        state: state.as_str().to_owned(),
        version: 1,
        created_at: at(0),
        initializing_at: reached(SessionState::Initializing, 1),
        ready_at: reached(SessionState::Ready, 4),
        running_at,
        ended_at: state.is_terminal().then(|| at(100)),
        ready_by: at(60),
        duration_ms: Some(7_200_000),
        ends_at: running_at.map(|at| at + TimeDelta::seconds(7200)),
        absolute_end: at(4 * 3600),
        ending_kind: (state == SessionState::Terminated).then(|| "operator_ended".to_owned()),
        ending_actor: (state == SessionState::Terminated).then(|| "staff:dana".to_owned()),
        failure_code: (state == SessionState::Failed).then(|| "runtime.memory_exceeded".to_owned()),
        environment_state: match state {
            SessionState::Created => EnvironmentState::Absent,
            SessionState::Initializing => EnvironmentState::Creating,
            SessionState::Ready | SessionState::Running => EnvironmentState::Up,
            SessionState::Terminated => EnvironmentState::Gone,
            SessionState::Failed => EnvironmentState::Destroying,
        },
        environment_version: 1,
        attempt: i32::from(state != SessionState::Created),
        creating_at: reached(SessionState::Initializing, 1),
        created_in_runtime_at: reached(SessionState::Ready, 3),
        gone_at: (state == SessionState::Terminated).then(|| at(103)),
        last_signal: None,
        extended_seconds: 0,
        last_extension_seconds: None,
        last_extension_actor: None,
        last_extension_at: None,
        server_time: at(110),
    }
}

/// The document of so many seconds after the request.
pub(crate) fn tell(row: &StatusRow, seconds: i64) -> StatusDocument {
    document(row, at(seconds)).unwrap()
}

#[test]
fn each_state_has_its_document() {
    for (state, seconds) in SessionState::ALL.into_iter().zip([0, 2, 10, 70, 110, 110]) {
        insta::assert_json_snapshot!(state.as_str(), tell(&row(state), seconds));
    }
}

#[test]
fn every_document_has_the_same_keys_whatever_applies() {
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let all = SessionState::ALL.map(|state| serde_json::to_value(tell(&row(state), 70)).unwrap());
    for document in &all {
        assert_eq!(keys(document), keys(&all[0]));
        for (stage, first) in document["stages"]
            .as_array()
            .unwrap()
            .iter()
            .zip(all[0]["stages"].as_array().unwrap())
        {
            assert_eq!(keys(stage), keys(first));
        }
    }
}

/// No transient state is without a deadline, and none outlives it: past it the document offers
/// nothing any more, whether or not a sweep has passed.
#[test]
fn no_transient_state_outlives_its_deadline() {
    for state in [SessionState::Created, SessionState::Initializing] {
        let row = row(state);
        let early = tell(&row, 59);
        assert_eq!(
            (early.ready_by, early.startup_remaining_ms),
            (at(60), Some(1000))
        );
        for late in [60, 61, 9999] {
            let late = tell(&row, late);
            assert_eq!(
                (late.startup_remaining_ms, late.can_attach),
                (Some(0), false),
                "{state}"
            );
        }
    }
    let ready = row(SessionState::Ready);
    assert!(tell(&ready, 4 * 3600 - 1).can_attach);
    assert!(!tell(&ready, 4 * 3600).can_attach);
    let running = row(SessionState::Running);
    let last = tell(&running, 7259);
    assert_eq!((last.remaining_ms, last.can_attach), (Some(1000), true));
    let over = tell(&running, 7260);
    assert_eq!((over.remaining_ms, over.can_attach), (Some(0), false));
    let long_over = tell(&running, 9000);
    assert_eq!(
        (long_over.remaining_ms, long_over.can_attach),
        (Some(0), false)
    );
}

#[test]
fn what_a_state_offers_is_what_the_table_allows() {
    for state in SessionState::ALL {
        let told = tell(&row(state), 70);
        assert_eq!(told.can_attach, state.is_attachable(), "{state}");
        assert_eq!(told.can_end, !state.is_terminal(), "{state}");
        assert_eq!(
            told.reason.is_some(),
            state == SessionState::Failed,
            "{state}"
        );
        assert_eq!(
            told.ending.is_some(),
            state == SessionState::Terminated,
            "{state}"
        );
    }
}

/// Whatever timestamps are missing, the stages read in order: done, then at most one that is not,
/// then pending.
#[test]
fn stages_read_in_order_whatever_is_missing() {
    for missing in 0..32u8 {
        for state in SessionState::ALL {
            let mut row = row(state);
            let keep = |bit: u8, moment: Option<DateTime<Utc>>| {
                moment.filter(|_| missing & (1 << bit) == 0)
            };
            row.initializing_at = keep(0, row.initializing_at);
            row.creating_at = keep(1, row.creating_at);
            row.created_in_runtime_at = keep(2, row.created_in_runtime_at);
            row.ready_at = keep(3, row.ready_at);
            row.running_at = keep(4, row.running_at);
            let states: Vec<_> = stages(&row).iter().map(|stage| stage.state).collect();
            let done = states.iter().take_while(|state| **state == Done).count();
            let pending = states
                .iter()
                .rev()
                .take_while(|state| **state == Pending)
                .count();
            assert!(done + pending >= 3, "{missing:05b} {state}: {states:?}");
        }
    }
}

#[test]
fn with_a_new_attempt_creating_begins_anew() {
    let mut row = row(SessionState::Initializing);
    row.attempt = 2;
    row.creating_at = Some(at(12));
    let told = tell(&row, 13);
    assert_eq!(told.attempt, 2);
    assert_eq!(told.stages[0].state, Done);
    assert_eq!(
        (told.stages[1].state, told.stages[1].started_at),
        (StageState::Active, Some(at(12)))
    );
    assert_eq!(told.stages[2].state, Pending);
}

#[test]
fn a_stage_under_way_is_cut_short_by_the_end() {
    let mut row = row(SessionState::Failed);
    (row.ready_at, row.running_at, row.created_in_runtime_at) = (None, None, None);
    row.failure_code = Some("init.image_missing".to_owned());
    let told = tell(&row, 110);
    let states: Vec<_> = told.stages.iter().map(|stage| stage.state).collect();
    assert_eq!(states, [Done, Failed, Pending, Pending]);
    assert_eq!(told.stages[1].ended_at, told.ended_at);
}

#[test]
fn what_is_waited_out_is_told_while_preparing_and_only_then() {
    let signal =
        json!({ "kind": "image_source_unavailable", "image": "x:1", "message": "timeout" });
    for seen in [
        signal.clone(),
        json!({ "signal": signal }),
        json!({ "code": "infra.capacity" }),
    ] {
        for state in SessionState::ALL {
            let mut row = row(state);
            row.last_signal = Some(seen.clone());
            let reason = tell(&row, 70).reason;
            let told = matches!(state, SessionState::Created | SessionState::Initializing)
                || state == SessionState::Failed;
            assert_eq!(reason.is_some(), told, "{state} {seen}");
        }
    }
    let mut row = row(SessionState::Initializing);
    for silent in [
        json!(null),
        json!({}),
        json!({ "code": "init.image_missing" }),
        json!("x"),
    ] {
        row.last_signal = Some(silent.clone());
        assert_eq!(tell(&row, 5).reason, None, "{silent}");
    }
}

#[test]
fn an_unknown_code_of_a_newer_build_still_reads_as_a_failure() {
    let mut row = row(SessionState::Failed);
    row.failure_code = Some("infra.invented_tomorrow".to_owned());
    assert_eq!(
        tell(&row, 110).reason.unwrap().code.as_str(),
        "infra.unclassified"
    );
}

#[test]
fn extensions_are_told_without_naming_a_person() {
    let mut row = row(SessionState::Running);
    row.extended_seconds = 900;
    row.last_extension_seconds = Some(300);
    row.last_extension_actor = Some("staff:dana".to_owned());
    row.last_extension_at = Some(at(65));
    let told = tell(&row, 70);
    assert_eq!(told.extended_ms, 900_000);
    let last = told.last_extension.clone().unwrap();
    assert_eq!(
        (last.by_ms, last.by, last.at),
        (300_000, EndedBy::Staff, at(65))
    );
    assert!(!serde_json::to_string(&told).unwrap().contains("dana"));
}

#[test]
fn a_window_shows_its_end_before_anybody_attached() {
    let mut row = row(SessionState::Ready);
    row.duration_ms = None;
    row.ends_at = Some(at(1800));
    let told = tell(&row, 800);
    assert_eq!(told.remaining_ms, Some(1_000_000));
    assert!(!told.clock.starts_at_attach && told.clock.duration_ms.is_none());
}

#[test]
fn a_row_that_no_owner_wrote_is_named() {
    let mut row = row(SessionState::Running);
    row.state = "paused".to_owned();
    let error = document(&row, at(70)).unwrap_err();
    assert!(matches!(
        &error,
        StatusError::Inconsistent {
            column: "exam_sessions.state",
            ..
        }
    ));
}
