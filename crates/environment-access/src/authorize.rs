//! The decision to admit or deny: a pure function of facts, principal and action.

use session_identity::{Principal, Role};

use crate::facts::{SessionFacts, Standing};

/// What somebody wants to do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read its status.
    View,
    /// Take a ticket for its terminal.
    IssueTicket,
    /// Attach to its terminal.
    Attach,
    /// End it before its time.
    End,
    /// Move its end.
    Extend,
    /// Read what its terminal showed.
    Replay,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] = [
        Self::View,
        Self::IssueTicket,
        Self::Attach,
        Self::End,
        Self::Extend,
        Self::Replay,
    ];

    /// A stable word, as in `access_log.action`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::IssueTicket => "issue_ticket",
            Self::Attach => "attach",
            Self::End => "end",
            Self::Extend => "extend",
            Self::Replay => "replay",
        }
    }
}

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// They may.
    Allowed,
    /// They may not.
    Denied(Denial),
}

impl Decision {
    /// Whether it is [`Decision::Allowed`].
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }
}

/// Why not. For logs and operators; the caller is told [`Denial::public`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Stable code.
    pub code: DenialCode,
    /// The true reason.
    pub detail: &'static str,
}

/// The failure codes of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialCode {
    /// `access.denied`: missing, foreign, or not for this role.
    Denied,
    /// `access.not_ready`: theirs, but not started yet.
    NotReady,
    /// `access.ended`: theirs, and over.
    Ended,
    /// `access.in_use`: theirs, and held by another page since they last had it. Only an attach that
    /// returns by itself is denied so, and told by its close code.
    InUse,
}

impl DenialCode {
    /// The code as failure-classification names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "access.denied",
            Self::NotReady => "access.not_ready",
            Self::Ended => "access.ended",
            Self::InUse => "access.in_use",
        }
    }
}

/// What a denied caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicAnswer {
    /// There is no such session for you. Says nothing about whether it exists.
    NotAvailable,
    /// Your session has ended. Only ever told to its owner or to staff.
    Ended,
}

impl PublicAnswer {
    /// HTTP status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::NotAvailable => 404,
            Self::Ended => 410,
        }
    }

    /// Stable code of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAvailable => "session.not_available",
            Self::Ended => "session.ended",
        }
    }

    /// Text of the answer.
    pub const fn message(self) -> &'static str {
        match self {
            Self::NotAvailable => "There is no such session for you.",
            Self::Ended => "The session has ended.",
        }
    }
}

impl Denial {
    /// What the caller is told: missing, foreign and not-yet-started sessions look the same.
    pub const fn public(&self) -> PublicAnswer {
        match self.code {
            DenialCode::Denied | DenialCode::NotReady | DenialCode::InUse => {
                PublicAnswer::NotAvailable
            }
            DenialCode::Ended => PublicAnswer::Ended,
        }
    }
}

/// Decides whether `principal` may do `action` on the session that `facts` describe.
///
/// `None` stands for a session that does not exist. Whether somebody may know of the session is
/// decided before anything about its state is looked at, so no answer depends on the state of
/// a session they may not know of.
pub fn authorize(facts: Option<&SessionFacts>, principal: &Principal, action: Action) -> Decision {
    let Some(facts) = facts else {
        return no_such_session();
    };
    let owner = principal.role == Role::Candidate && facts.user_id == principal.user_id;
    let knows = match (principal.role, action) {
        // A candidate's terminal shows what they may see; what was kept of it is evidence.
        (Role::Candidate, Action::Extend | Action::Replay) => false,
        (Role::Candidate, _) => owner,
        // Nobody but the owner ever holds a terminal: there are no shared ones.
        (_, Action::IssueTicket | Action::Attach) => false,
        (Role::Invigilator, action) => matches!(action, Action::View | Action::Replay),
        (Role::Operator | Role::Service, _) => true,
    };
    if !knows {
        return denied(DenialCode::Denied, not_theirs(principal.role, owner));
    }
    decide_by_standing(facts.standing, action)
}

/// The decision about a session that does not exist, whoever asks.
pub(crate) const fn no_such_session() -> Decision {
    denied(DenialCode::Denied, "the session does not exist")
}

fn decide_by_standing(standing: Standing, action: Action) -> Decision {
    match (action, standing) {
        (Action::View | Action::Replay, _)
        | (Action::IssueTicket | Action::Attach, Standing::Open)
        | (Action::End | Action::Extend, Standing::Preparing | Standing::Open) => Decision::Allowed,
        (Action::IssueTicket | Action::Attach, Standing::Preparing) => {
            denied(DenialCode::NotReady, "the session is not ready yet")
        }
        (_, Standing::Ended) => denied(DenialCode::Ended, "the session has ended"),
    }
}

const fn not_theirs(role: Role, owner: bool) -> &'static str {
    match role {
        Role::Candidate if owner => "a candidate may not do this to their own session",
        Role::Candidate => "the session belongs to somebody else",
        Role::Invigilator | Role::Operator | Role::Service => "the role may not do this",
    }
}

const fn denied(code: DenialCode, detail: &'static str) -> Decision {
    Decision::Denied(Denial { code, detail })
}
