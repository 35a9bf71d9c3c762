//! Every kind of signal, and every code of the table, is read from something that a runtime really
//! said, or it is known who makes it.

use std::collections::BTreeSet;

use failure_classification::{FailureCode, Phase, Signal, TerminalLeg, classify};

use crate::{engine, kubernetes};

/// What no runtime says, and who does.
fn made_by_ourselves() -> [(Signal, &'static str); 11] {
    let message = || "said".to_owned();
    let detail = message;
    [
        (
            Signal::NotReady { message: message() },
            "the sweep of what is stuck, from rows: nothing had been said when the budget was over",
        ),
        (
            Signal::IsolationUnproven {
                gaps: vec!["seccomp".to_owned()],
                place: None,
            },
            "the judge of what the keeper reports",
        ),
        (
            Signal::SetupHookFailed { message: message() },
            "a kubelet, of a hook that no pod of ours has",
        ),
        (
            Signal::DatabaseUnavailable { message: message() },
            "whoever asks the database",
        ),
        (
            Signal::JobExhausted {
                job_kind: "provision_environment".to_owned(),
                message: message(),
            },
            "the sweep of what is stuck, from the rows of jobs",
        ),
        (
            Signal::AccessRefused { detail: detail() },
            "the decision about who may do what, from rows",
        ),
        (
            Signal::SessionNotReady { state: message() },
            "the decision about who may do what, from rows",
        ),
        (
            Signal::SessionEnded { detail: detail() },
            "the decision about who may do what, from rows",
        ),
        (
            Signal::TerminalInUse { epoch: None },
            "the row of the terminal",
        ),
        (
            Signal::StreamLost {
                leg: TerminalLeg::Environment,
                message: message(),
            },
            "the terminal process, of its own streams",
        ),
        (
            Signal::RecorderUnavailable { message: message() },
            "the recorder, of its own store",
        ),
    ]
}

async fn read_from_recordings() -> Vec<Signal> {
    [
        kubernetes::recorded_signals(),
        engine::recorded_signals().await,
    ]
    .concat()
}

fn codes(signals: &[Signal]) -> BTreeSet<FailureCode> {
    let both = |signal| [Phase::BeforeReady, Phase::AfterReady].map(|it| classify(signal, it));
    let all = signals.iter().flat_map(both);
    all.map(|classified| classified.code()).collect()
}

#[tokio::test]
async fn every_kind_of_signal_is_read_from_a_recording_or_it_is_known_who_makes_it() {
    let recorded = read_from_recordings().await;
    let recorded: BTreeSet<_> = recorded.iter().map(Signal::kind).collect();
    let made = made_by_ourselves();
    let made: BTreeSet<_> = made.iter().map(|(signal, _)| signal.kind()).collect();
    let all: BTreeSet<_> = Signal::KINDS.iter().copied().collect();
    let known: BTreeSet<_> = recorded.union(&made).copied().collect();
    assert_eq!(known, all);
    // Whoever records one takes it off the list.
    let both: Vec<_> = recorded.intersection(&made).collect();
    assert!(both.is_empty(), "recorded, and said not to be: {both:?}");
}

#[tokio::test]
async fn every_code_of_the_table_is_read_from_a_recording_or_it_is_known_who_makes_it() {
    let recorded = codes(&read_from_recordings().await);
    let made = made_by_ourselves().map(|(signal, _)| signal);
    let known: BTreeSet<_> = recorded.union(&codes(&made)).copied().collect();
    let all: BTreeSet<_> = FailureCode::ALL.iter().copied().collect();
    assert_eq!(known, all);
}
