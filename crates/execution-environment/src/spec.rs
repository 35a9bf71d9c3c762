//! The desired environment: whose it is, which attempt, which exam, and under which name.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};
use sha2::{Digest, Sha256};

use crate::ExamDefinition;

/// Says which runtime makes environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RuntimeKind {
    /// A Docker-compatible container engine on one host.
    Engine,
    /// A Kubernetes cluster.
    Kubernetes,
}

impl Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Engine => "engine",
            Self::Kubernetes => "kubernetes",
        })
    }
}

/// Everything a runtime must know to make one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// The database this environment belongs to.
    pub install_id: InstallId,
    /// The session it serves.
    pub session_id: ExamSessionId,
    /// The candidate.
    pub user_id: UserId,
    /// The environment's own id.
    pub environment_id: ExecutionEnvironmentId,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// What the exam needs.
    pub exam: ExamDefinition,
    /// The session's absolute end as known at creation; the runtime's own backstop lies beyond it.
    pub deadline: Option<DateTime<Utc>>,
    /// Places where earlier attempts failed, as the runtime names them: others are taken first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoid: Vec<String>,
}

impl EnvironmentSpec {
    /// The name this attempt has in the runtime.
    pub fn runtime_name(&self) -> RuntimeName {
        RuntimeName::for_attempt(self.session_id, self.attempt)
    }

    /// The labels that say whose it is.
    pub fn labels(&self) -> OwnerLabels {
        OwnerLabels {
            install_id: self.install_id,
            session_id: self.session_id,
            environment_id: self.environment_id,
            attempt: self.attempt,
            user_hash: UserHash::of(&self.user_id),
        }
    }
}

/// Names one attempt's environment in the runtime: `carrel-{session}-{attempt}`.
///
/// Derived, never chosen: whoever repeats an attempt arrives at the same name.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct RuntimeName(String);

impl RuntimeName {
    /// Names the environment of one attempt of one session.
    pub fn for_attempt(session_id: ExamSessionId, attempt: i32) -> Self {
        Self(format!("carrel-{session_id}-{attempt}"))
    }

    /// Takes a name as the runtime or a row gave it.
    pub fn from_runtime(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for RuntimeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies one environment among all that ever bore its name, as the runtime assigned it.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct RuntimeUid(String);

impl RuntimeUid {
    /// Takes a uid as the runtime or a row gave it.
    pub fn from_runtime(uid: impl Into<String>) -> Self {
        Self(uid.into())
    }

    /// The uid as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for RuntimeUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Stands for a user in labels, which are readable by more people than user ids should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserHash(String);

impl UserHash {
    /// Hashes a user id: the first 32 hex digits of its SHA-256 (labels hold at most 63).
    pub fn of(user_id: &UserId) -> Self {
        let digest = Sha256::digest(user_id.as_str().as_bytes());
        Self(hex::encode(&digest[..16]))
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says whose an environment is, in labels that the runtime keeps beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerLabels {
    /// The database it belongs to.
    pub install_id: InstallId,
    /// The session it serves.
    pub session_id: ExamSessionId,
    /// The environment's own id.
    pub environment_id: ExecutionEnvironmentId,
    /// The attempt that made it.
    pub attempt: i32,
    /// Stands for the candidate.
    pub user_hash: UserHash,
}

/// Marks everything that Carrel makes.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "carrel");
pub(crate) const INSTALL: &str = "carrel.install";
const SESSION: &str = "carrel.session";
const ENVIRONMENT: &str = "carrel.environment";
const ATTEMPT: &str = "carrel.attempt";
const USER_HASH: &str = "carrel.user-hash";

impl OwnerLabels {
    /// Writes the labels as a runtime takes them, the managed-by mark among them.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        [
            (MANAGED_BY.0, MANAGED_BY.1.to_owned()),
            (INSTALL, self.install_id.to_string()),
            (SESSION, self.session_id.to_string()),
            (ENVIRONMENT, self.environment_id.to_string()),
            (ATTEMPT, self.attempt.to_string()),
            (USER_HASH, self.user_hash.as_str().to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// Reads the labels; `None` when any is missing or malformed, which means it is not ours.
    pub fn from_map(labels: &HashMap<String, String>) -> Option<Self> {
        let label = |key: &str| labels.get(key).map(String::as_str);
        if label(MANAGED_BY.0) != Some(MANAGED_BY.1) {
            return None;
        }
        Some(Self {
            install_id: label(INSTALL)?.parse().ok()?,
            session_id: label(SESSION)?.parse().ok()?,
            environment_id: label(ENVIRONMENT)?.parse().ok()?,
            attempt: label(ATTEMPT)?.parse().ok()?,
            user_hash: UserHash(label(USER_HASH)?.to_owned()),
        })
    }

    /// The name that goes with these labels.
    pub fn runtime_name(&self) -> RuntimeName {
        RuntimeName::for_attempt(self.session_id, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

    use super::{OwnerLabels, UserHash};

    fn labels() -> OwnerLabels {
        OwnerLabels {
            install_id: InstallId::generate(),
            session_id: ExamSessionId::generate(),
            environment_id: ExecutionEnvironmentId::generate(),
            attempt: 2,
            user_hash: UserHash::of(&UserId::parse("u-1").unwrap()),
        }
    }

    #[test]
    fn labels_survive_the_way_through_a_runtime() {
        let labels = labels();
        let map: HashMap<String, String> = labels.to_map().into_iter().collect();
        assert_eq!(OwnerLabels::from_map(&map), Some(labels));
    }

    #[test]
    fn a_missing_or_foreign_label_means_not_ours() {
        let whole: HashMap<String, String> = labels().to_map().into_iter().collect();
        for key in whole.keys() {
            let mut map = whole.clone();
            map.remove(key);
            assert_eq!(OwnerLabels::from_map(&map), None, "without {key}");
        }
    }

    #[test]
    fn labels_fit_kubernetes_and_hide_the_user() {
        let labels = labels();
        assert!(labels.runtime_name().as_str().len() <= 63);
        for (key, value) in labels.to_map() {
            assert!(value.len() <= 63 && !value.contains("u-1"), "{key}={value}");
        }
    }
}
