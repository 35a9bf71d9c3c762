//! Who is asking: always explicit, never ambient.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::UserId;

/// What a caller may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sits the exam: reaches only the session that names them.
    Candidate,
    /// Watches over an exam: reads, never types.
    Invigilator,
    /// Runs the exams: reads and changes every session.
    Operator,
    /// The exam platform itself: requests and ends sessions.
    Service,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Candidate,
        Self::Invigilator,
        Self::Operator,
        Self::Service,
    ];

    /// Gives the word used in tokens and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Invigilator => "invigilator",
            Self::Operator => "operator",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says that a word names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; use candidate, invigilator, operator or service")]
pub struct RoleError(pub String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| RoleError(text.chars().take(64).collect()))
    }
}

/// Names one login of a person: the `jti` of their token. Two browsers are two logins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginId(String);

impl LoginId {
    /// Takes the name of a login.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Somebody whose token was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who it is.
    pub user_id: UserId,
    /// What they are.
    pub role: Role,
    /// By which login they came.
    pub login_id: LoginId,
}

impl Principal {
    /// Names this principal as the author of a change.
    pub fn actor(&self) -> Actor {
        match self.role {
            Role::Candidate => Actor::Candidate(self.user_id.clone()),
            Role::Invigilator | Role::Operator => Actor::Staff(self.user_id.clone()),
            Role::Service => Actor::Service(self.user_id.clone()),
        }
    }
}

/// The author of a change, as it stands in history: `candidate:u-1042`, `system:sweep`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The person who sits the exam.
    Candidate(UserId),
    /// An invigilator or operator.
    Staff(UserId),
    /// The exam platform.
    Service(UserId),
    /// A part of Carrel.
    System(&'static str),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate(user_id) => write!(f, "candidate:{user_id}"),
            Self::Staff(user_id) => write!(f, "staff:{user_id}"),
            Self::Service(user_id) => write!(f, "service:{user_id}"),
            Self::System(part) => write!(f, "system:{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_survive_text() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!("Candidate".parse::<Role>().is_err());
        assert!(
            "admin"
                .parse::<Role>()
                .unwrap_err()
                .to_string()
                .contains("admin")
        );
    }

    #[test]
    fn each_role_signs_its_changes() {
        let actor = |role| {
            Principal {
                user_id: UserId::parse("dana").unwrap(),
                role,
                login_id: LoginId::new("l"),
            }
            .actor()
            .to_string()
        };
        assert_eq!(actor(Role::Candidate), "candidate:dana");
        assert_eq!(actor(Role::Invigilator), "staff:dana");
        assert_eq!(actor(Role::Operator), "staff:dana");
        assert_eq!(actor(Role::Service), "service:dana");
        assert_eq!(Actor::System("sweep").to_string(), "system:sweep");
    }
}
