//! `exams apply`: proven first, then stored.

use clap::Args;
use command_line::{CliError, Document, GlobalArgs};
use session_identity::{Actor, UserId};
use sqlx::PgPool;
use tokio::signal::unix::{SignalKind, signal};

use super::super::{errors, isolation::reason};
use crate::{
    Applied, EnvironmentRuntime, ExamBasis, ExamDefinition, Purpose, RuntimeArgs, TrialError,
    apply_exam, clear_trials, find_applied, prove_exam,
};

/// Says what a definition is stored on.
#[derive(Args, Debug)]
pub struct ApplyOptions {
    /// Replaces the definition's image
    #[arg(long, value_name = "REFERENCE")]
    pub image: Option<String>,
    /// Whose decision this is, for the record
    #[arg(long, value_name = "USER", value_parser = staff)]
    pub by: Option<UserId>,
    /// Stores it without a trial: what is wrong with it shows in candidates' sessions
    #[arg(long, requires_all = ["reason", "by"])]
    pub unproven: bool,
    /// Why there is no trial, kept with the version
    #[arg(long, value_name = "TEXT", requires = "unproven", value_parser = reason)]
    pub reason: Option<String>,
    /// Where it is proven, and must be able to run.
    #[command(flatten)]
    pub runtime: RuntimeArgs,
}

fn staff(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| error.to_string())
}

impl ApplyOptions {
    /// The definition with the image that was named beside it, if one was.
    pub(super) fn named_in(&self, mut definition: ExamDefinition) -> ExamDefinition {
        if let Some(image) = &self.image {
            image.clone_into(&mut definition.image);
        }
        definition
    }
}

pub(super) async fn run(
    globals: &GlobalArgs,
    definition: ExamDefinition,
    options: ApplyOptions,
) -> Result<Document, CliError> {
    let actor = options.by.map_or(Actor::System("cli"), Actor::Staff);
    let applied = if let Some(reason) = options.reason {
        let pool = globals.connect().await?;
        store(&pool, &definition, &ExamBasis::Unproven { reason }, &actor).await?
    } else {
        let runtime = options.runtime.connect(Purpose::Create).await;
        let runtime = runtime.map_err(|error| or_unproven(errors::settings(&error)))?;
        let pool = globals.connect().await?;
        proven(&pool, &*runtime, &definition, &actor).await?
    };
    Ok(Document::new(
        "execution-environment/exams-apply.v1",
        applied,
    ))
}

/// What runs where no environment can be made stores without a proof, and has to say so.
fn or_unproven(mut error: CliError) -> CliError {
    let otherwise = "or store it without a trial: --unproven --reason TEXT --by USER";
    let mend = error.next.take();
    let next = mend.map_or_else(
        || otherwise.to_owned(),
        |mend| format!("{mend} (--runtime chooses where); {otherwise}"),
    );
    error.next(next)
}

fn untried(error: TrialError) -> CliError {
    if matches!(error, TrialError::Unusable { .. }) {
        or_unproven(errors::trial(error))
    } else {
        errors::trial(error)
    }
}

/// Nothing is tried twice: what is proven on a runtime of this kind stays so.
async fn proven(
    pool: &PgPool,
    runtime: &dyn EnvironmentRuntime,
    definition: &ExamDefinition,
    actor: &Actor,
) -> Result<Applied, CliError> {
    let mut conn = pool.acquire().await?;
    let present = find_applied(&mut conn, definition).await;
    drop(conn);
    if let Some(present) = present.map_err(errors::apply)?
        && present.proven_on == Some(runtime.kind())
    {
        // Nothing is tried here, but what a killed trial has left goes all the same.
        clear_trials(pool, runtime).await.map_err(errors::store)?;
        return Ok(present);
    }
    let proof = prove_exam(pool, runtime, definition, asked_to_stop()?).await;
    let basis = ExamBasis::Proven(proof.map_err(untried)?);
    store(pool, definition, &basis, actor).await
}

/// From here on a signal ends the trial and not the process: its environment is removed first. A
/// terminal that is closed hangs up.
fn asked_to_stop() -> Result<impl Future<Output = ()>, CliError> {
    let listen = |kind| signal(kind).map_err(CliError::bug);
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

async fn store(
    pool: &PgPool,
    definition: &ExamDefinition,
    basis: &ExamBasis,
    actor: &Actor,
) -> Result<Applied, CliError> {
    let mut conn = pool.acquire().await?;
    let applied = apply_exam(&mut conn, definition, basis, actor).await;
    applied.map_err(errors::apply)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn whoever_hangs_up_ends_a_trial_as_whoever_interrupts_it_does() {
        for signal in ["INT", "TERM", "HUP"] {
            let stop = asked_to_stop().expect("signals can be listened for");
            let kill = format!("kill -s {signal} \"$PPID\"");
            let killed = Command::new("sh").args(["-c", &kill]).status();
            assert!(killed.expect("a shell").success(), "{signal}");
            let stopped = timeout(Duration::from_mins(1), stop).await;
            assert!(stopped.is_ok(), "{signal} ends nothing");
        }
    }
}
