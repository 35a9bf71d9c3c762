use chrono::DateTime;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

use super::*;
use crate::{OwnerLabels, RuntimeName, RuntimeUid, UserHash};

const STOPPED: Phase = Phase::Stopped {
    exit_code: Some(1),
    oom_killed: false,
    message: None,
    signal: None,
};

fn record(state: EnvironmentState, uid: Option<&str>) -> EnvironmentRecord {
    let session_id = ExamSessionId::generate();
    EnvironmentRecord {
        id: ExecutionEnvironmentId::generate(),
        session_id,
        state,
        version: 1,
        attempt: 1,
        runtime: Some(RuntimeKind::Engine),
        runtime_name: Some(RuntimeName::for_attempt(session_id, 1)),
        runtime_uid: uid.map(RuntimeUid::from_runtime),
        spec: None,
        evidence: None,
        last_signal: None,
        snapshot: None,
        created_at: DateTime::UNIX_EPOCH,
        creating_at: None,
        created_in_runtime_at: None,
        up_at: None,
        destroying_at: None,
        gone_at: None,
        cleanup_blocked: None,
        cleanup_blocked_at: None,
        forced_at: None,
    }
}

fn present(record: &EnvironmentRecord, uid: &str, phase: Phase) -> Observed {
    Observed {
        uid: RuntimeUid::from_runtime(uid),
        labels: OwnerLabels {
            install_id: InstallId::generate(),
            session_id: record.session_id,
            environment_id: record.id,
            attempt: record.attempt,
            user_hash: UserHash::of(&UserId::parse("u").unwrap()),
        },
        phase,
        place: None,
        is_place_lost: false,
        going_since: None,
    }
}

fn told(record: &EnvironmentRecord, seen: &Observation) -> Vec<&'static str> {
    let differences = differences(record, RuntimeKind::Engine, seen);
    differences.iter().map(|one| one.what).collect()
}

#[test]
fn a_row_and_the_runtime_agree_on_what_is_there_and_on_what_is_on_its_way() {
    use EnvironmentState::{Absent, Creating, Destroying, Gone, Up};
    for (state, uid, if_absent, if_running, if_stopped) in [
        (Absent, None, &[][..], &["presence"][..], &["presence"][..]),
        (Creating, None, &[], &[], &[]),
        (Creating, Some("a"), &["presence"], &[], &[]),
        (Up, Some("a"), &["presence"], &[], &["phase"]),
        (Destroying, Some("a"), &[], &[], &[]),
        (Gone, Some("a"), &[], &["presence"], &["presence"]),
    ] {
        let record = record(state, uid);
        assert_eq!(told(&record, &Observation::Absent), if_absent, "{state}");
        for (phase, expected) in [(Phase::Running, if_running), (STOPPED, if_stopped)] {
            let seen = Observation::Present(present(&record, "a", phase));
            assert_eq!(told(&record, &seen), expected, "{state}");
        }
    }
}

#[test]
fn another_uid_and_another_owner_are_named() {
    let record = record(EnvironmentState::Up, Some("a"));
    let mut found = present(&record, "b", Phase::Running);
    found.labels.attempt = 2;
    assert_eq!(
        told(&record, &Observation::Present(found)),
        ["uid", "labels"]
    );
}

#[test]
fn another_runtime_is_the_only_difference_that_counts() {
    let record = record(EnvironmentState::Up, Some("a"));
    let told = differences(&record, RuntimeKind::Kubernetes, &Observation::Absent);
    assert_eq!(told, [difference("runtime", &"engine", &"kubernetes")]);
}
