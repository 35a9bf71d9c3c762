//! `sessions extend`.

use command_line::{CliError, Document, GlobalArgs};
use serde_json::json;
use session_identity::ExamSessionId;
use session_lifecycle::Extension;
use uuid::Uuid;

use super::cohort::{self, Agreed, Work};
use super::{ExtendArgs, PREVIEW, args::operator, failure};
use crate::{CohortExtension, extend_session, rehearse_extension};

/// What is left of 255 characters beside a colon and a session's id.
const COHORT_KEY_MAX: usize = 218;

pub(super) async fn run(args: ExtendArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    match args.id {
        Some(id) => one(id, args, globals).await,
        None => many(args, globals).await,
    }
}

async fn one(
    id: ExamSessionId,
    args: ExtendArgs,
    globals: &GlobalArgs,
) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let extension = Extension {
        session_id: id,
        by: args.by,
        actor: operator(args.author.actor).actor(),
        reason: args.author.reason,
        idempotency_key: args.idempotency_key.unwrap_or_else(fresh_key),
    };
    let extended = if args.cohort.dry_run {
        rehearse_extension(&pool, &extension).await
    } else {
        extend_session(&pool, &extension).await
    };
    let extended = extended.map_err(|error| failure::extend(&error))?;
    let granted = &extended.extension;
    let text = if extended.already {
        format!(
            "{id} had this extension already; it ends {}",
            granted.new_end
        )
    } else {
        format!(
            "{id} ends {} instead of {}",
            granted.new_end, granted.previous_end
        )
    };
    let data = json!({
        "already": extended.already,
        "extension": granted,
        "session": extended.session,
    });
    let document = Document::new("orchestrator/sessions-extend.v1", data).with_text(text);
    if args.cohort.dry_run {
        let moved = (!extended.already).then(|| id.to_string());
        return Ok(document.as_preview(PREVIEW, moved.as_slice()));
    }
    Ok(document)
}

async fn many(args: ExtendArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    let cohort = args.cohort.cohort()?;
    let key = args.idempotency_key.unwrap_or_else(fresh_key);
    let length = key.chars().count();
    if length > COHORT_KEY_MAX {
        let message =
            format!("it has {length} characters, allowed with --exam are {COHORT_KEY_MAX}");
        return Err(CliError::usage("idempotency-key", message).next("give a shorter key"));
    }
    let work = Work::Extend(CohortExtension {
        cohort,
        by: args.by,
        actor: operator(args.author.actor).actor(),
        reason: args.author.reason,
        key,
    });
    let agreed = Agreed::given(args.cohort.dry_run, args.confirm);
    cohort::run(&work, agreed, globals).await
}

/// Without a key, a second call is a second extension.
fn fresh_key() -> String {
    Uuid::now_v7().to_string()
}
