//! The decision, over every role, action and standing.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use environment_access::{
    Action, Decision, DenialCode, PublicAnswer, SessionFacts, Standing, authorize,
};
use session_identity::{ExamSessionId, ExecutionEnvironmentId, LoginId, Principal, Role, UserId};

const ROLES: [Role; 4] = [
    Role::Candidate,
    Role::Invigilator,
    Role::Operator,
    Role::Service,
];
const STANDINGS: [Standing; 3] = [Standing::Preparing, Standing::Open, Standing::Ended];

fn facts(standing: Standing) -> SessionFacts {
    SessionFacts {
        session_id: ExamSessionId::generate(),
        user_id: UserId::parse("owner").unwrap(),
        environment_id: ExecutionEnvironmentId::generate(),
        standing,
        state: "running".to_owned(),
        remaining: None,
    }
}

fn principal(user: &str, role: Role) -> Principal {
    Principal {
        user_id: UserId::parse(user).unwrap(),
        role,
        login_id: LoginId::new("login"),
    }
}

fn decide(standing: Standing, user: &str, role: Role, action: Action) -> Decision {
    authorize(Some(&facts(standing)), &principal(user, role), action)
}

fn public(decision: &Decision) -> Option<PublicAnswer> {
    match decision {
        Decision::Allowed => None,
        Decision::Denied(denial) => Some(denial.public()),
    }
}

#[test]
fn the_owner_attaches_only_while_the_session_is_open() {
    for action in [Action::Attach, Action::IssueTicket] {
        let decision = |standing| decide(standing, "owner", Role::Candidate, action);
        assert_eq!(decision(Standing::Open), Decision::Allowed);
        let codes = [
            (Standing::Preparing, DenialCode::NotReady),
            (Standing::Ended, DenialCode::Ended),
        ];
        for (standing, code) in codes {
            assert!(matches!(decision(standing), Decision::Denied(denial) if denial.code == code));
        }
    }
}

#[test]
fn nobody_but_the_owner_ever_attaches() {
    for role in ROLES {
        for standing in STANDINGS {
            for action in [Action::Attach, Action::IssueTicket] {
                let decision = decide(standing, "somebody", role, action);
                assert_eq!(
                    public(&decision),
                    Some(PublicAnswer::NotAvailable),
                    "{role:?}"
                );
            }
        }
    }
}

#[test]
fn staff_who_bear_the_owner_s_name_do_not_attach_either() {
    for role in [Role::Invigilator, Role::Operator, Role::Service] {
        assert!(!decide(Standing::Open, "owner", role, Action::Attach).is_allowed());
    }
}

#[test]
fn missing_foreign_and_unstarted_sessions_are_answered_alike_whatever_is_asked() {
    for action in Action::ALL {
        let stranger = principal("somebody", Role::Candidate);
        let missing = public(&authorize(None, &stranger, action));
        assert_eq!(missing, Some(PublicAnswer::NotAvailable));
        for standing in STANDINGS {
            assert_eq!(
                public(&decide(standing, "somebody", Role::Candidate, action)),
                missing
            );
        }
    }
    for action in [Action::Attach, Action::IssueTicket] {
        let unstarted = decide(Standing::Preparing, "owner", Role::Candidate, action);
        assert_eq!(public(&unstarted), Some(PublicAnswer::NotAvailable));
    }
}

#[test]
fn reading_ending_and_extending_follow_the_role() {
    let allowed = |role, action| decide(Standing::Open, "owner", role, action).is_allowed();
    let table = [
        (Role::Candidate, [true, true, false]),
        (Role::Invigilator, [true, false, false]),
        (Role::Operator, [true, true, true]),
        (Role::Service, [true, true, true]),
    ];
    for (role, expected) in table {
        let actions = [Action::View, Action::End, Action::Extend];
        assert_eq!(
            actions.map(|action| allowed(role, action)),
            expected,
            "{role:?}"
        );
    }
}

#[test]
fn what_has_ended_can_be_read_and_nothing_else() {
    for role in [Role::Operator, Role::Service] {
        assert!(decide(Standing::Ended, "x", role, Action::View).is_allowed());
        for action in [Action::End, Action::Extend] {
            let decision = decide(Standing::Ended, "x", role, action);
            assert_eq!(public(&decision), Some(PublicAnswer::Ended));
        }
    }
}

#[test]
fn codes_are_those_of_the_failure_table() {
    for code in [DenialCode::Denied, DenialCode::NotReady, DenialCode::Ended] {
        assert!(
            code.as_str()
                .parse::<failure_classification::FailureCode>()
                .is_ok(),
            "{code:?}"
        );
    }
}
