//! Logins as the exam platform would sign them, with a development secret.

use std::time::Duration;

use environment_access::{TokenRequest, issue_token};
use secrecy::{ExposeSecret as _, SecretString};
use session_identity::{Role, UserId};

/// The shared secret of every test system.
pub const SECRET: &str = "system-tests-share-this-secret-of-48-bytes-or-so";

/// One login of one user.
#[derive(Debug, Clone)]
pub struct Login {
    /// Whose.
    pub user: String,
    /// The token, as it goes into a header or a link.
    pub token: String,
}

impl Login {
    /// Logs a user in for an hour.
    pub fn of(user: &str, role: Role) -> Self {
        Self::lasting(user, role, Duration::from_hours(1))
    }

    /// Logs a user in for a while.
    pub fn lasting(user: &str, role: Role, lifetime: Duration) -> Self {
        let request = TokenRequest {
            user_id: UserId::parse(user).expect("the user's name is well-formed"),
            role,
            lifetime,
            issuer: "exam-platform".to_owned(),
            audience: "carrel".to_owned(),
        };
        let issued = issue_token(&request, &SecretString::from(SECRET)).expect("a token is made");
        Self {
            user: user.to_owned(),
            token: issued.token.expose_secret().to_owned(),
        }
    }

    /// Logs a candidate in.
    pub fn candidate(user: &str) -> Self {
        Self::of(user, Role::Candidate)
    }

    /// Logs the exam platform in.
    pub fn service() -> Self {
        Self::of("exam-platform", Role::Service)
    }

    /// Logs a member of staff in.
    pub fn operator() -> Self {
        Self::of("dana", Role::Operator)
    }
}
