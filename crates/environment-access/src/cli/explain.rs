//! `environment-access explain`.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;
use session_identity::{ExamSessionId, LoginId, Principal, Role, UserId};

use super::public_json;
use crate::attachment::{AttachmentRecord, attachments};
use crate::authorize::{Action, Decision, Denial, authorize, no_such_session};
use crate::checks::{Check, attach_checks};
use crate::facts::{SessionFacts, load_facts};
use crate::history::{AccessLine, latest_access};

/// Whose way into which session.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The session.
    #[arg(long)]
    session_id: ExamSessionId,
    /// Who wants to get in; the session's own candidate unless named.
    #[arg(long)]
    user_id: Option<UserId>,
    /// Their role: candidate, invigilator, operator or service.
    #[arg(long, default_value = "candidate")]
    role: Role,
    /// Newest lines of the access log to show, 0 to 500.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(0..=500))]
    limit: i64,
}

/// All that is known of somebody's way in.
struct Explanation {
    session_id: ExamSessionId,
    user_id: Option<UserId>,
    role: Role,
    decision: Decision,
    checks: Vec<Check>,
    /// The newest attach.
    terminal: Option<AttachmentRecord>,
    access_log: Vec<AccessLine>,
}

/// Reads the facts, decides as an attach would, and prints why. Nothing is recorded.
pub(super) async fn run(args: ExplainArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let mut conn = pool.acquire().await?;
    let facts = load_facts(&mut conn, args.session_id).await?;
    let terminal = attachments(&mut conn, args.session_id).await?.pop();
    let access_log = latest_access(&mut conn, args.session_id, args.limit).await?;
    let owner = facts.as_ref().map(|facts| facts.user_id.clone());
    let user_id = args.user_id.or(owner);
    let explanation = Explanation {
        session_id: args.session_id,
        role: args.role,
        decision: decide(facts.as_ref(), user_id.as_ref(), args.role),
        checks: attach_checks(facts.as_ref(), user_id.as_ref(), args.role),
        user_id,
        terminal,
        access_log,
    };
    let text = explanation.text();
    Ok(Document::new("environment-access/explain.v1", explanation.json()).with_text(text))
}

/// Decides as for an attach; who is not named can only be nobody's owner.
fn decide(facts: Option<&SessionFacts>, user_id: Option<&UserId>, role: Role) -> Decision {
    let Some(user_id) = user_id else {
        return no_such_session();
    };
    let principal = Principal {
        user_id: user_id.clone(),
        role,
        login_id: LoginId::new("command-line"),
    };
    authorize(facts, &principal, Action::Attach)
}

impl Explanation {
    fn denial(&self) -> Option<&Denial> {
        match &self.decision {
            Decision::Allowed => None,
            Decision::Denied(denial) => Some(denial),
        }
    }

    fn json(&self) -> serde_json::Value {
        let denial = self.denial();
        json!({
            "session_id": self.session_id,
            "user_id": self.user_id,
            "role": self.role,
            "action": Action::Attach.as_str(),
            "allowed": self.decision.is_allowed(),
            "code": denial.map(|denial| denial.code.as_str()),
            "detail": denial.map(|denial| denial.detail),
            "public": denial.map(|denial| public_json(denial.public())),
            "checks": self.checks,
            "terminal": self.terminal,
            "access_log": self.access_log,
        })
    }

    fn text(&self) -> String {
        let mut text = self.headline();
        for check in &self.checks {
            text.push('\n');
            text.push_str(&check_line(check));
        }
        if !self.access_log.is_empty() {
            text.push_str("\nlatest first:");
        }
        for line in &self.access_log {
            text.push('\n');
            text.push_str(&log_line(line));
        }
        text
    }

    fn headline(&self) -> String {
        let who = self.user_id.as_ref().map_or("nobody", UserId::as_str);
        match self.denial() {
            None => format!("{who} may attach to {}", self.session_id),
            Some(denial) => {
                let public = denial.public();
                format!(
                    "{who} may not attach to {}: {}; they are told {} {}",
                    self.session_id,
                    denial.detail,
                    public.status(),
                    public.code()
                )
            }
        }
    }
}

fn check_line(check: &Check) -> String {
    let mark = match check.passed {
        Some(true) => "passed",
        Some(false) => "FAILED",
        None => "-",
    };
    let found = check.found.as_ref().map(|found| format!(": {found}"));
    let needed = check
        .needed
        .as_ref()
        .filter(|_| check.passed == Some(false));
    let needed = needed.map(|needed| format!(" (needed: {needed})"));
    let (found, needed) = (found.unwrap_or_default(), needed.unwrap_or_default());
    format!("  {mark:<7} {}{found}{needed}", check.check)
}

fn log_line(line: &AccessLine) -> String {
    let outcome = match (line.allowed, line.epoch) {
        (false, _) => format!("denied: {}", line.detail.as_deref().unwrap_or("no reason")),
        (true, Some(epoch)) => format!("allowed, epoch {epoch}"),
        (true, None) => "allowed".to_owned(),
    };
    let at = line.at.format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "  {at} {} {} {} {outcome}",
        line.user_id, line.role, line.action
    )
}
