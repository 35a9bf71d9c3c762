//! The platform did not do its part.

use crate::{Attribution, FailureCode, FailureCode as Code, RetryRule, Rule};

const NOT_PREPARED: &str =
    "Your environment could not be prepared. It is not your fault. Staff were told.";
const PLACE_LOST: &str =
    "The machine your exam ran on was taken away. It is not your fault. Staff were told.";
const CONNECTION_LOST: &str = "The connection to the machine your exam ran on was lost. It is not your fault. Staff were told.";
const SLOW: &str = "Preparation is slower than usual; we are trying again.";

const fn platform(
    code: FailureCode,
    candidate_text: &'static str,
    operator_text: &'static str,
    runbook: &'static str,
) -> Rule {
    Rule::new(
        code,
        Attribution::Platform,
        candidate_text,
        operator_text,
        runbook,
    )
}

/// A fault that another attempt, elsewhere or later, may not meet.
const fn passing(code: FailureCode, operator_text: &'static str, runbook: &'static str) -> Rule {
    platform(code, NOT_PREPARED, operator_text, runbook)
        .retried(RetryRule::WithinBudget)
        .meanwhile(SLOW)
}

/// The place was taken away: retried before ready, final after it.
const fn place_lost(code: FailureCode, operator_text: &'static str) -> Rule {
    platform(code, PLACE_LOST, operator_text, "disruption")
        .retried(RetryRule::WithinBudget)
        .meanwhile(SLOW)
}

pub(super) static RULES: &[Rule] = &[
    passing(
        Code::InfraImageSourceUnavailable,
        "the image source does not answer, fails or throttles",
        "exam-image",
    )
    .after_seconds(15),
    passing(
        Code::InfraImageNotPreloaded,
        "pulling is forbidden and the machine does not hold the image",
        "exam-image",
    ),
    platform(
        Code::InfraIsolationUnproven,
        "Preparation failed for safety reasons. It is not your fault. Staff were told.",
        "the environment is weaker than declared, or that could not be ruled out",
        "isolation",
    )
    .after_seconds(15)
    .retried(RetryRule::WithinBudget)
    .meanwhile("A safety check did not pass; we are trying again."),
    platform(
        Code::InfraCapacity,
        "All places were taken and none came free in time. It is not your fault. Staff were told.",
        "no machine has room",
        "capacity",
    )
    .after_seconds(20)
    .retried(RetryRule::Wait)
    .meanwhile("All places are taken at the moment; yours is next when one comes free."),
    platform(
        Code::InfraGated,
        NOT_PREPARED,
        "placement is held back by gates outside Carrel",
        "capacity",
    )
    .after_seconds(20)
    .retried(RetryRule::Wait)
    .meanwhile("Preparation is slower than usual; we are waiting for a place."),
    passing(Code::InfraNodeRejected, "the chosen machine refused the environment", "capacity"),
    passing(
        Code::InfraNodeSetup,
        "the chosen machine could not prepare network, address or volumes",
        "machine-setup",
    )
    // A machine that starts many at once prepares the last of them for most of this, and a new
    // attempt would only add to its work. Two thirds of the shortest startup budget.
    .after_seconds(40),
    platform(
        Code::InfraQuota,
        "The exam is at its capacity. It is not your fault. Staff were told.",
        "a quota or limit range of the runtime refused the environment",
        "capacity",
    )
    // One look more than the last teardown, which may have been confirmed since the refusal.
    .after_seconds(2)
    .seen_twice()
    .retried(RetryRule::Wait)
    .meanwhile("All places are taken at the moment; we are waiting for one to come free."),
    platform(
        Code::InfraPolicyDenied,
        NOT_PREPARED,
        "a missing right, an admission controller or a security policy refused the environment",
        "rights",
    )
    // An API server that has just started refuses everybody until it has read the rights.
    .after_seconds(10),
    platform(
        Code::InfraNameConflict,
        NOT_PREPARED,
        "something that is not this attempt bears the environment's name",
        "name-conflict",
    ),
    passing(
        Code::InfraApiUnavailable,
        "the runtime's API does not answer, fails or throttles",
        "runtime-api",
    ),
    platform(
        Code::InfraApiAuth,
        NOT_PREPARED,
        "the runtime's API refuses our credentials",
        "runtime-api",
    )
    .retried(RetryRule::Once)
    .meanwhile(SLOW),
    platform(
        Code::InfraDatabaseUnavailable,
        "The exam service is briefly unavailable. It is not your fault.",
        "the database does not answer; work pauses and nothing is decided",
        "postgresql",
    )
    .retried(RetryRule::Wait)
    .meanwhile("The exam service is briefly unavailable; we are trying again."),
    platform(
        Code::InfraNodePressure,
        "The machine your exam ran on ran short of resources. It is not your fault. Staff were told.",
        "the machine ran short of a resource and evicted the environment",
        "disruption",
    )
    .retried(RetryRule::WithinBudget)
    .meanwhile(SLOW),
    place_lost(Code::InfraDisruptedPreemption, "a more important workload took the place"),
    place_lost(Code::InfraDisruptedEviction, "the environment was evicted through the API"),
    place_lost(Code::InfraDisruptedTaint, "the machine was tainted and its environments deleted"),
    place_lost(Code::InfraDisruptedShutdown, "the machine's agent terminated it, usually to shut down"),
    place_lost(Code::InfraDisruptedCollection, "it was collected after its machine disappeared"),
    platform(
        Code::InfraNodeLost,
        CONNECTION_LOST,
        "the machine stopped answering",
        "disruption",
    )
    .after_seconds(30)
    .after_seconds_before_ready(10)
    .retried(RetryRule::WithinBudget)
    .meanwhile(SLOW),
    platform(
        Code::InfraPodVanished,
        CONNECTION_LOST,
        "the environment is no longer there and nobody of ours removed it",
        "vanished",
    )
    .retried(RetryRule::WithinBudget)
    .meanwhile(SLOW),
    platform(
        Code::InfraJobExhausted,
        NOT_PREPARED,
        "a job of this session used up its attempts",
        "exhausted-jobs",
    ),
    platform(
        Code::InfraUnclassified,
        "Something failed that we did not foresee. It is not your fault. Staff were told.",
        "a signal that no rule lists; add one",
        "unclassified",
    ),
];
