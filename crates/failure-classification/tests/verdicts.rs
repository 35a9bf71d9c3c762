//! Every signal has its verdict, every code its signal.

use std::collections::BTreeSet;
use std::time::Duration;

use failure_classification::{
    Attribution, DisruptionCause, FailureCode, Phase, RetryRule, Signal, TerminalLeg, classify,
};

/// One of each kind; a test holds it against the list of kinds.
fn one_of_each() -> Vec<Signal> {
    [of_definitions(), of_places(), of_losses(), of_access()].concat()
}

fn image() -> String {
    "exam:1".to_owned()
}

fn message() -> String {
    "said".to_owned()
}

fn of_definitions() -> Vec<Signal> {
    vec![
        Signal::ImageNameInvalid { image: image() },
        Signal::ImageMissing {
            image: image(),
            message: message(),
        },
        Signal::ImageDenied {
            image: image(),
            message: message(),
        },
        Signal::ImageSourceUnavailable {
            image: image(),
            message: message(),
        },
        Signal::ImageNotPreloaded { image: image() },
        Signal::ImageRejected {
            image: image(),
            message: message(),
        },
        Signal::ConfigInvalid { message: message() },
        Signal::StartFailed { message: message() },
        Signal::SetupHookFailed { message: message() },
        Signal::SetupFailed {
            step: "verify".into(),
            exit_code: Some(3),
            tail: message(),
        },
        exited(Some(1), false),
        Signal::NotReady { message: message() },
        Signal::SpecInvalid { message: message() },
    ]
}

fn of_places() -> Vec<Signal> {
    vec![
        Signal::IsolationUnproven {
            gaps: vec!["seccomp".into()],
            place: Some("a".into()),
        },
        Signal::Unschedulable { message: message() },
        Signal::SchedulingGated {
            gates: vec!["gate".into()],
        },
        Signal::NodeRejected {
            reason: "OutOfpods".into(),
            message: message(),
        },
        Signal::NodeSetup { message: message() },
        Signal::QuotaExceeded {
            message: message(),
            cleanup_pending: true,
        },
        Signal::PolicyDenied { message: message() },
        conflict(false),
        Signal::RuntimeUnavailable {
            operation: "create".into(),
            status: Some(503),
            message: message(),
            retry_after_ms: None,
        },
        Signal::RuntimeUnauthorized {
            operation: "create".into(),
            message: message(),
        },
        Signal::DatabaseUnavailable { message: message() },
    ]
}

fn of_losses() -> Vec<Signal> {
    vec![
        Signal::DiskExceeded { message: message() },
        Signal::NodePressure {
            resource: "memory".into(),
            message: message(),
        },
        Signal::DeadlineBackstop { message: message() },
        Signal::Disrupted {
            cause: DisruptionCause::Taint,
            message: message(),
        },
        Signal::NodeLost {
            node: Some("a".into()),
            message: message(),
        },
        Signal::Vanished {
            expected_uid: Some("1".into()),
            found_uid: None,
        },
        Signal::JobExhausted {
            job_kind: "provision".into(),
            message: message(),
        },
        Signal::Unlisted {
            source: "engine".into(),
            reason: "?".into(),
            message: message(),
        },
    ]
}

fn of_access() -> Vec<Signal> {
    vec![
        Signal::AccessRefused { detail: message() },
        Signal::SessionNotReady {
            state: "created".into(),
        },
        Signal::SessionEnded { detail: message() },
        Signal::TerminalInUse { epoch: Some(2) },
        Signal::ExecForbidden { message: message() },
        Signal::ExecTargetMissing { message: message() },
        Signal::ShellUnavailable {
            exit_code: Some(127),
            message: message(),
        },
        Signal::StreamLost {
            leg: TerminalLeg::Environment,
            message: message(),
        },
        Signal::RecorderUnavailable { message: message() },
    ]
}

fn exited(exit_code: Option<i32>, oom_killed: bool) -> Signal {
    Signal::Exited {
        exit_code,
        oom_killed,
        message: String::new(),
    }
}

fn conflict(ours: bool) -> Signal {
    Signal::NameConflict {
        name: "carrel-1".into(),
        existing_uid: None,
        ours,
    }
}

#[test]
fn every_kind_of_signal_has_a_verdict_on_both_sides_of_ready() {
    let signals = one_of_each();
    let kinds: BTreeSet<_> = signals.iter().map(Signal::kind).collect();
    assert_eq!(kinds, Signal::KINDS.iter().copied().collect());
    for signal in &signals {
        for phase in [Phase::BeforeReady, Phase::AfterReady] {
            let verdict = classify(signal, phase);
            let listed = verdict.code() != FailureCode::InfraUnclassified;
            assert_eq!(listed, signal.kind() != "unlisted", "{signal:?}");
            let said = signal.said().expect("each of these says something");
            assert!(
                verdict.operator_text.contains(&said),
                "{}",
                verdict.operator_text
            );
        }
    }
}

#[test]
fn every_code_is_reached_by_some_signal() {
    let mut signals = one_of_each();
    signals.push(exited(None, true));
    let causes = [
        DisruptionCause::Preemption,
        DisruptionCause::Eviction,
        DisruptionCause::Shutdown,
        DisruptionCause::Collection,
    ];
    signals.extend(causes.map(|cause| Signal::Disrupted {
        cause,
        message: message(),
    }));
    let reached: BTreeSet<_> = [Phase::BeforeReady, Phase::AfterReady]
        .into_iter()
        .flat_map(|phase| {
            signals
                .iter()
                .map(move |signal| classify(signal, phase).code())
        })
        .collect();
    assert_eq!(reached, FailureCode::ALL.iter().copied().collect());
}

#[test]
fn signals_survive_being_stored_as_evidence() {
    for signal in one_of_each() {
        let stored = serde_json::to_value(&signal).unwrap();
        assert_eq!(stored["kind"], signal.kind());
        assert_eq!(serde_json::from_value::<Signal>(stored).unwrap(), signal);
    }
}

#[test]
fn nothing_but_access_is_retried_after_ready() {
    for signal in one_of_each() {
        let verdict = classify(&signal, Phase::AfterReady);
        if verdict.may_fail_session() {
            assert_eq!(verdict.retry, RetryRule::Never, "{signal:?}");
        } else {
            assert_eq!(verdict.retry, verdict.rule.retry, "{signal:?}");
        }
    }
}

#[test]
fn an_exit_is_judged_by_its_side_of_ready_and_its_cause() {
    let code = |signal: &Signal, phase| classify(signal, phase).code().as_str();
    let (before, after) = (Phase::BeforeReady, Phase::AfterReady);
    assert_eq!(code(&exited(Some(1), false), before), "init.exited_early");
    assert_eq!(
        code(&exited(Some(137), true), before),
        "init.memory_too_small"
    );
    assert_eq!(code(&exited(Some(1), false), after), "runtime.exited");
    assert_eq!(
        code(&exited(Some(137), true), after),
        "runtime.memory_exceeded"
    );
}

#[test]
fn after_ready_a_clean_exit_is_the_candidate_s_and_any_other_the_environment_s() {
    let whose = |signal: &Signal| classify(signal, Phase::AfterReady).attribution;
    assert_eq!(whose(&exited(Some(0), false)), Attribution::Candidate);
    assert_eq!(whose(&exited(Some(1), false)), Attribution::Environment);
    assert_eq!(whose(&exited(None, false)), Attribution::Environment);
    assert_eq!(whose(&exited(Some(137), true)), Attribution::Candidate);
}

#[test]
fn a_lost_machine_is_given_less_time_before_ready() {
    let signal = Signal::NodeLost {
        node: None,
        message: String::new(),
    };
    assert_eq!(
        classify(&signal, Phase::BeforeReady).window,
        Duration::from_secs(10)
    );
    assert_eq!(
        classify(&signal, Phase::AfterReady).window,
        Duration::from_secs(30)
    );
}

#[test]
fn quota_is_waited_for_only_while_our_own_teardown_will_free_some() {
    let quota = |cleanup_pending| Signal::QuotaExceeded {
        message: message(),
        cleanup_pending,
    };
    let retry = |signal: &Signal| classify(signal, Phase::BeforeReady).retry;
    assert_eq!(retry(&quota(true)), RetryRule::Wait);
    assert_eq!(retry(&quota(false)), RetryRule::Never);
}

#[test]
fn a_name_taken_by_our_older_attempt_is_retried_and_by_a_stranger_never() {
    let retry = |signal: &Signal| classify(signal, Phase::BeforeReady).retry;
    assert_eq!(retry(&conflict(true)), RetryRule::WithinBudget);
    assert_eq!(retry(&conflict(false)), RetryRule::Never);
}

#[test]
fn a_verdict_is_written_flat_with_its_windows_in_milliseconds() {
    let verdict = classify(
        &Signal::StartFailed { message: message() },
        Phase::BeforeReady,
    );
    let document = serde_json::to_value(&verdict).unwrap();
    assert_eq!(document["code"], "init.start_failed");
    assert_eq!(document["window_ms"], 5000);
    assert_eq!(document["retry"], "once");
    assert_eq!(document["may_fail_session"], true);
}
