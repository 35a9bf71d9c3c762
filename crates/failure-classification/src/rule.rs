//! One rule per code: the taxonomy as data.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{Attribution, FailureClass, FailureCode, RetryRule, rules};

/// Says everything that follows from a code.
///
/// Shape in JSON: `snake_case` keys, windows in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The code this rule belongs to.
    pub code: FailureCode,
    /// The code's class.
    pub class: FailureClass,
    /// Whose doing it is.
    pub attribution: Attribution,
    /// How long the signal must persist before it is believed.
    #[serde(rename = "window_ms", serialize_with = "milliseconds")]
    pub window: Duration,
    /// The window before ready, where waiting as long as after it would spend the startup budget.
    #[serde(
        rename = "window_before_ready_ms",
        serialize_with = "optional_milliseconds"
    )]
    pub window_before_ready: Option<Duration>,
    /// How many observations in a row must agree; at least one.
    pub observations: u8,
    /// Whether another attempt may help, before ready.
    pub retry: RetryRule,
    /// What the candidate reads when the session has failed for it (or was refused).
    pub candidate_text: &'static str,
    /// What the candidate reads while it is being waited out or retried, where that happens.
    pub waiting_text: Option<&'static str>,
    /// What the operator reads, before the signal's own message.
    pub operator_text: &'static str,
    /// The anchor in `deploy/runbooks.md`.
    pub runbook: &'static str,
}

/// Returns the rule of a code.
///
/// # Panics
///
/// Never: a test holds that the tables have one rule for every code.
pub fn rule(code: FailureCode) -> &'static Rule {
    rules::TABLES
        .iter()
        .flat_map(|table| table.iter())
        .find(|rule| rule.code == code)
        .expect("the tables hold one rule for every code, which a test asserts")
}

impl Rule {
    /// Begins a rule: believed at once on one observation, never retried.
    pub(crate) const fn new(
        code: FailureCode,
        attribution: Attribution,
        candidate_text: &'static str,
        operator_text: &'static str,
        runbook: &'static str,
    ) -> Self {
        Self {
            code,
            class: code.class(),
            attribution,
            window: Duration::ZERO,
            window_before_ready: None,
            observations: 1,
            retry: RetryRule::Never,
            candidate_text,
            waiting_text: None,
            operator_text,
            runbook,
        }
    }

    pub(crate) const fn after_seconds(mut self, seconds: u64) -> Self {
        self.window = Duration::from_secs(seconds);
        self
    }

    pub(crate) const fn after_seconds_before_ready(mut self, seconds: u64) -> Self {
        self.window_before_ready = Some(Duration::from_secs(seconds));
        self
    }

    pub(crate) const fn seen_twice(mut self) -> Self {
        self.observations = 2;
        self
    }

    pub(crate) const fn retried(mut self, retry: RetryRule) -> Self {
        self.retry = retry;
        self
    }

    pub(crate) const fn meanwhile(mut self, waiting_text: &'static str) -> Self {
        self.waiting_text = Some(waiting_text);
        self
    }
}

fn milliseconds<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(whole_milliseconds(*value))
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serialize_with asks for"
)]
fn optional_milliseconds<S: Serializer>(
    value: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.serialize_some(&whole_milliseconds(*value)),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn whole_milliseconds(value: Duration) -> u64 {
    u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
}
