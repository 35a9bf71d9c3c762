//! `sessions extend|compensate|terminate --exam`: shown first, confirmed, then done here,
//! session by session.

mod args;
mod confirm;
mod tell;

use command_line::{CliError, Document, GlobalArgs, ProgressLine, bar};
use job_queue::notify_workers;
use sqlx::PgPool;
use tokio::signal::unix::{SignalKind, signal};

use super::failure;
use crate::error::chain;
use crate::{
    Cohort, CohortCompensation, CohortEnd, CohortError, CohortExtension, CohortReport, CohortVisit,
    Consent, compensate_cohort, end_cohort, extend_cohort,
};

pub(super) use args::MANY;
pub use args::{CohortArgs, Confirmation};

/// What the exit codes mean with `--exam`.
pub(super) const EXITS: &str = "\
Exit codes with --exam: 0 every session has it, 4 another number of live sessions than --confirm, \
6 nobody agreed, 7 some were capped or refused, or it was stopped midway.";

/// What every live session of an exam undergoes.
pub(super) enum Work {
    Extend(CohortExtension),
    Compensate(CohortCompensation),
    End(CohortEnd),
}

/// What was agreed to by flags.
pub(super) enum Agreed {
    DryRun,
    Count(usize),
    ToNothing,
}

impl Agreed {
    pub(super) fn given(dry_run: bool, count: Option<usize>) -> Self {
        match count {
            _ if dry_run => Self::DryRun,
            Some(count) => Self::Count(count),
            None => Self::ToNothing,
        }
    }
}

/// Why the cohort was not visited to its end.
struct Stopped {
    because: String,
    next: String,
}

pub(super) async fn run(
    work: &Work,
    agreed: Agreed,
    globals: &GlobalArgs,
) -> Result<Document, CliError> {
    let pool = globals.connect().await?;
    let count = match agreed {
        Agreed::DryRun => return Ok(tell::preview(work, &rehearse(work, &pool).await?)),
        Agreed::Count(count) => count,
        Agreed::ToNothing => {
            let would_be = rehearse(work, &pool).await?;
            if would_be.matched() == 0 {
                return Ok(tell::report(work, &would_be, None));
            }
            confirm::confirm(work, &would_be, globals.output)?
        }
    };
    let mut report = CohortReport::default();
    let stopped = carry_out(work, &pool, count, &mut report).await?;
    Ok(tell::report(work, &report, stopped.as_ref()))
}

async fn rehearse(work: &Work, pool: &PgPool) -> Result<CohortReport, CliError> {
    let mut report = CohortReport::default();
    let told = work.visit(pool, Consent::Rehearsal, |visit| report.note(visit));
    match told.await {
        Ok(()) => Ok(report),
        Err(error) => Err(failed(error, pool).await),
    }
}

/// Goes from session to session until the last one, Ctrl-C or an error. What was done by then is told,
/// and an error is one of the command only where nothing was.
async fn carry_out(
    work: &Work,
    pool: &PgPool,
    count: usize,
    report: &mut CohortReport,
) -> Result<Option<Stopped>, CliError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::bug)?;
    let mut progress = ProgressLine::default();
    let done = work.visit(pool, Consent::Sessions(count), |visit| {
        report.note(visit);
        progress.show(&work.line(report));
    });
    let failure = tokio::select! {
        done = done => done.map_err(Some).err(),
        _ = interrupt.recv() => Some(None),
    };
    progress.end();
    if let Work::End(_) = work {
        // The jobs are committed whether or not anybody hears of them; workers also poll.
        wake(pool).await;
    }
    let because = match failure {
        None => return Ok(None),
        Some(Some(error)) if report.visits().is_empty() => {
            let is_midway = matches!(error, CohortError::Other(_));
            let error = failed(error, pool).await;
            return Err(if is_midway {
                error.next(work.next())
            } else {
                error
            });
        }
        Some(Some(error)) => chain(&error),
        Some(None) => "interrupted".to_owned(),
    };
    let next = work.next();
    Ok(Some(Stopped { because, next }))
}

async fn failed(error: CohortError, pool: &PgPool) -> CliError {
    match pool.acquire().await {
        Ok(mut connection) => failure::cohort(error, &mut connection).await,
        Err(error) => error.into(),
    }
}

async fn wake(pool: &PgPool) {
    if let Ok(mut connection) = pool.acquire().await {
        notify_workers(&mut connection).await.ok();
    }
}

impl Work {
    fn cohort(&self) -> &Cohort {
        match self {
            Self::Extend(extension) => &extension.cohort,
            Self::Compensate(compensation) => &compensation.cohort,
            Self::End(end) => &end.cohort,
        }
    }

    async fn visit(
        &self,
        pool: &PgPool,
        consent: Consent,
        tell: impl FnMut(CohortVisit),
    ) -> Result<(), CohortError> {
        match self {
            Self::Extend(extension) => extend_cohort(pool, extension, consent, tell).await,
            Self::Compensate(asked) => compensate_cohort(pool, asked, consent, tell).await,
            Self::End(end) => end_cohort(pool, end, consent, tell).await,
        }
    }

    /// How far it is, for a terminal. With the key, which is lost to a fresh one when all else is.
    fn line(&self, report: &CohortReport) -> String {
        let (done, matched) = (report.visits().len(), report.matched());
        let line = format!("{} {done} of {matched}", bar(done, matched));
        match self {
            Self::Extend(extension) => format!("{line}, key {}", extension.key),
            Self::Compensate(_) | Self::End(_) => line,
        }
    }

    /// How to go on after a stop.
    fn next(&self) -> String {
        match self {
            Self::Extend(extension) => format!(
                "the same command with --key {} goes on, and nobody gets the time twice",
                extension.key
            ),
            Self::Compensate(_) | Self::End(_) => {
                "the same command goes on; look again with --dry-run".to_owned()
            }
        }
    }
}
