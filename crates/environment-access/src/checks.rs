//! What the decision to let somebody attach looks at, fact by fact, for operators.

use serde::Serialize;
use session_identity::{Role, UserId};

use crate::facts::{SessionFacts, Standing};

/// One thing that has to hold before somebody may attach.
///
/// Shape: a JSON object; `passed` is null where there is nothing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable word: `session_exists`, `role`, `owner`, `state` or `before_end`.
    pub check: &'static str,
    /// Whether it holds.
    pub passed: Option<bool>,
    /// What is needed.
    pub needed: Option<String>,
    /// What is there.
    pub found: Option<String>,
}

/// Lists what [`crate::authorize`] looks at for [`crate::Action::Attach`], in its order. It allows
/// exactly when every check passed.
pub fn attach_checks(
    facts: Option<&SessionFacts>,
    user_id: Option<&UserId>,
    role: Role,
) -> Vec<Check> {
    vec![
        exists(facts),
        of_role(role),
        owner(facts, user_id),
        state(facts),
        before_end(facts),
    ]
}

fn exists(facts: Option<&SessionFacts>) -> Check {
    Check {
        check: "session_exists",
        passed: Some(facts.is_some()),
        needed: None,
        found: facts.map(|facts| facts.session_id.to_string()),
    }
}

fn of_role(role: Role) -> Check {
    Check {
        check: "role",
        passed: Some(role == Role::Candidate),
        needed: Some(Role::Candidate.as_str().to_owned()),
        found: Some(role.as_str().to_owned()),
    }
}

fn owner(facts: Option<&SessionFacts>, user_id: Option<&UserId>) -> Check {
    let owner = facts.map(|facts| &facts.user_id);
    Check {
        check: "owner",
        passed: owner.map(|owner| Some(owner) == user_id),
        needed: owner.map(UserId::to_string),
        found: user_id.map(UserId::to_string),
    }
}

fn state(facts: Option<&SessionFacts>) -> Check {
    let standing = facts.map(|facts| Standing::of(&facts.state, false));
    Check {
        check: "state",
        passed: standing.map(|standing| standing == Standing::Open),
        needed: Some("ready or running".to_owned()),
        found: facts.map(|facts| facts.state.clone()),
    }
}

/// The end of a session that is over by its state is not looked at.
fn before_end(facts: Option<&SessionFacts>) -> Check {
    let live = facts.filter(|facts| Standing::of(&facts.state, false) != Standing::Ended);
    let remaining = live.map(|facts| match facts.remaining {
        Some(remaining) => format!("{} s remain", remaining.as_secs()),
        None => "the clock has not started".to_owned(),
    });
    Check {
        check: "before_end",
        passed: live.map(|facts| facts.standing != Standing::Ended),
        needed: Some("an end that is not past".to_owned()),
        found: remaining,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use session_identity::{ExamSessionId, ExecutionEnvironmentId, LoginId, Principal};

    use super::*;
    use crate::{Action, Decision, DenialCode, authorize};

    const ROLES: [Role; 4] = [
        Role::Candidate,
        Role::Invigilator,
        Role::Operator,
        Role::Service,
    ];
    const STATES: [&str; 6] = [
        "created",
        "initializing",
        "ready",
        "running",
        "terminated",
        "failed",
    ];

    fn user(text: &str) -> UserId {
        UserId::parse(text).unwrap()
    }

    fn facts(state: &str, past_end: bool) -> SessionFacts {
        SessionFacts {
            session_id: ExamSessionId::generate(),
            user_id: user("owner"),
            environment_id: ExecutionEnvironmentId::generate(),
            standing: Standing::of(state, past_end),
            state: state.to_owned(),
            remaining: (!past_end).then_some(Duration::from_mins(1)),
        }
    }

    /// Every session there can be, as far as access goes, and none.
    fn sessions() -> Vec<Option<SessionFacts>> {
        let of_state = |state| [false, true].map(|past_end| Some(facts(state, past_end)));
        let some = STATES.into_iter().flat_map(of_state);
        some.chain([None]).collect()
    }

    /// The code of the first check that failed.
    fn first_failed(checks: &[Check]) -> Option<&'static str> {
        let failed = checks.iter().find(|check| check.passed != Some(true));
        failed.map(|check| check.check)
    }

    #[test]
    fn the_checks_and_the_decision_never_disagree() {
        for facts in sessions() {
            for role in ROLES {
                for name in ["owner", "stranger"] {
                    let principal = Principal {
                        user_id: user(name),
                        role,
                        login_id: LoginId::new("test"),
                    };
                    let decision = authorize(facts.as_ref(), &principal, Action::Attach);
                    let checks = attach_checks(facts.as_ref(), Some(&principal.user_id), role);
                    assert_agree(&decision, first_failed(&checks), facts.as_ref());
                }
            }
        }
    }

    fn assert_agree(decision: &Decision, failed: Option<&str>, facts: Option<&SessionFacts>) {
        let Decision::Denied(denial) = decision else {
            assert_eq!(failed, None, "{facts:?}");
            return;
        };
        let expected: &[&str] = match denial.code {
            DenialCode::Denied => &["session_exists", "role", "owner"],
            DenialCode::NotReady => &["state"],
            DenialCode::Ended => &["state", "before_end"],
            // No decision about who may attach: which page holds the terminal.
            DenialCode::InUse => &[],
        };
        let failed = failed.expect("a denial has a cause");
        assert!(expected.contains(&failed), "{denial:?} {failed} {facts:?}");
    }

    #[test]
    fn a_session_that_is_not_there_has_no_owner_and_no_state() {
        let checks = attach_checks(None, None, Role::Candidate);
        let passed: Vec<_> = checks.iter().map(|check| check.passed).collect();
        assert_eq!(passed, [Some(false), Some(true), None, None, None]);
    }
}
