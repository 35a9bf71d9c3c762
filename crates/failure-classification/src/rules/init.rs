//! Environments that cannot become ready by their own definition.

use crate::{Attribution, FailureCode as Code, RetryRule, Rule};

/// One text for all faults of the definition: the candidate can only wait for staff.
const MISCONFIGURED: &str = "Your exam environment is not set up correctly, so it cannot start. \
     You did nothing wrong. Staff were told.";
const PREPARATION_FAILED: &str =
    "Preparing your environment failed. You did nothing wrong. Staff were told.";
const TRYING_AGAIN: &str = "Preparation met a problem; we are trying again.";

pub(super) static RULES: &[Rule] = &[
    Rule::new(
        Code::InitImageNameInvalid,
        Attribution::Environment,
        MISCONFIGURED,
        "the image reference does not parse",
        "exam-image",
    ),
    Rule::new(
        Code::InitImageMissing,
        Attribution::Environment,
        MISCONFIGURED,
        "the image, its tag or its platform does not exist",
        "exam-image",
    )
    .seen_twice(),
    Rule::new(
        Code::InitImageDenied,
        Attribution::Platform,
        MISCONFIGURED,
        "the image source refused our credentials: the pull secret is missing or wrong",
        "exam-image",
    )
    .seen_twice(),
    Rule::new(
        Code::InitImageRejected,
        Attribution::Environment,
        MISCONFIGURED,
        "the image is corrupt or not signed as required",
        "exam-image",
    ),
    Rule::new(
        Code::InitConfigInvalid,
        Attribution::Environment,
        MISCONFIGURED,
        "configuration named by the exam is missing or not allowed",
        "exam-definition",
    )
    .after_seconds(5),
    Rule::new(
        Code::InitStartFailed,
        Attribution::Environment,
        MISCONFIGURED,
        "the runtime could not start the command (missing command, mount or runtime rejection)",
        "exam-definition",
    )
    .after_seconds(5)
    .retried(RetryRule::Once)
    .meanwhile(TRYING_AGAIN),
    Rule::new(
        Code::InitSetupFailed,
        Attribution::Environment,
        MISCONFIGURED,
        "a preparation step of the environment failed",
        "exam-definition",
    )
    .retried(RetryRule::Once)
    .meanwhile(TRYING_AGAIN),
    Rule::new(
        Code::InitExitedEarly,
        Attribution::Environment,
        MISCONFIGURED,
        "the environment stopped before it was ready",
        "exam-definition",
    )
    .retried(RetryRule::Once)
    .meanwhile(TRYING_AGAIN),
    Rule::new(
        Code::InitMemoryTooSmall,
        Attribution::Environment,
        MISCONFIGURED,
        "the environment ran out of memory before it was ready; its limit is too small",
        "exam-definition",
    ),
    Rule::new(
        Code::InitNotReady,
        Attribution::Environment,
        PREPARATION_FAILED,
        "the environment runs but never answered as ready within its startup budget",
        "startup-budget",
    )
    .retried(RetryRule::Once)
    .meanwhile(TRYING_AGAIN),
    Rule::new(
        Code::InitSpecInvalid,
        Attribution::Environment,
        MISCONFIGURED,
        "the runtime refused the specification",
        "exam-definition",
    ),
];
