//! `environment-access authorize`.

use clap::{Args, ValueEnum};
use command_line::{CliError, Document, Exit, GlobalArgs};
use serde_json::json;
use session_identity::{ExamSessionId, LoginId, Principal, Role, UserId};

use super::public_json;
use crate::authorize::{Action, Decision, authorize};
use crate::facts::load_facts;

/// Whom and what to decide about.
#[derive(Debug, Args)]
pub struct AuthorizeArgs {
    /// The session.
    #[arg(long)]
    session_id: ExamSessionId,
    /// The user, as the exam platform names them.
    #[arg(long)]
    user_id: UserId,
    /// Their role: candidate, invigilator, operator or service.
    #[arg(long, default_value = "candidate")]
    role: Role,
    /// What they want to do.
    #[arg(long, value_enum, default_value_t = ActionName::Attach)]
    action: ActionName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ActionName {
    View,
    IssueTicket,
    Attach,
    End,
    Extend,
}

impl From<ActionName> for Action {
    fn from(name: ActionName) -> Self {
        match name {
            ActionName::View => Self::View,
            ActionName::IssueTicket => Self::IssueTicket,
            ActionName::Attach => Self::Attach,
            ActionName::End => Self::End,
            ActionName::Extend => Self::Extend,
        }
    }
}

/// Decides and prints the decision; exit 4 when it is a denial.
pub(super) async fn run(args: AuthorizeArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let facts = load_facts(&mut conn, args.session_id).await?;
    let principal = Principal {
        user_id: args.user_id,
        role: args.role,
        login_id: LoginId::new("command-line"),
    };
    let action = Action::from(args.action);
    Ok(document(
        &args.session_id,
        &principal,
        action,
        &authorize(facts.as_ref(), &principal, action),
    ))
}

fn document(
    session_id: &ExamSessionId,
    principal: &Principal,
    action: Action,
    decision: &Decision,
) -> Document {
    let denial = match decision {
        Decision::Allowed => None,
        Decision::Denied(denial) => Some(denial),
    };
    let data = json!({
        "session_id": session_id,
        "user_id": principal.user_id,
        "role": principal.role,
        "action": action.as_str(),
        "allowed": decision.is_allowed(),
        "code": denial.map(|denial| denial.code.as_str()),
        "detail": denial.map(|denial| denial.detail),
        "public": denial.map(|denial| public_json(denial.public())),
    });
    let text = match denial {
        None => format!("{} may {}", principal.user_id, action.as_str()),
        Some(denial) => format!(
            "{} may not {}: {}",
            principal.user_id,
            action.as_str(),
            denial.detail
        ),
    };
    let document = Document::new("environment-access/authorize.v1", data).with_text(text);
    if decision.is_allowed() {
        document
    } else {
        document.with_exit(Exit::Denied)
    }
}
