//! What must hold after any fault, as a pure function over what was asked, what the queue's rows
//! say, what the handlers noted, and the diary of every change of a job.

mod diary;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::types::Uuid;

pub(crate) use diary::{Change, most_at_once};

/// Runs without an answer after which a job is parked.
const CRASH_LIMIT: i32 = 3;

/// One enqueue, as its producer remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) job_id: Uuid,
    /// The effect that must be there in the end; `None` where the job can never come to it.
    pub(crate) effect: Option<String>,
    /// Whether the commit was answered. Without an answer the job may be there or not.
    pub(crate) is_acknowledged: bool,
}

impl Intent {
    pub(crate) fn acknowledged(job_id: Uuid, effect: Option<&str>) -> Self {
        Self {
            job_id,
            effect: effect.map(str::to_owned),
            is_acknowledged: true,
        }
    }

    pub(crate) fn in_doubt(job_id: Uuid, effect: Option<&str>) -> Self {
        Self {
            is_acknowledged: false,
            ..Self::acknowledged(job_id, effect)
        }
    }
}

/// A row of `jobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRow {
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) key: Option<String>,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) crash_count: i32,
    pub(crate) run_token: i64,
    pub(crate) outcome_class: Option<String>,
    pub(crate) has_lease: bool,
    pub(crate) has_end: bool,
    /// When it may run, in milliseconds since the epoch.
    pub(crate) run_at_ms: i64,
}

impl JobRow {
    fn is_terminal(&self) -> bool {
        is_terminal(&self.state)
    }
}

/// A row of `job_attempts`, in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptRow {
    pub(crate) job_id: Uuid,
    pub(crate) run_token: i64,
    pub(crate) outcome: String,
    pub(crate) started_at_ms: i64,
    pub(crate) finished_at_ms: i64,
}

/// What a handler noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) job_id: Uuid,
    pub(crate) run_token: i64,
    pub(crate) effect: String,
    /// Written past the queue, through a gate: an earlier run's effect may stand.
    pub(crate) is_gated: bool,
}

/// Everything that is judged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) intents: Vec<Intent>,
    pub(crate) jobs: Vec<JobRow>,
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) ledger: Vec<Entry>,
    pub(crate) changes: Vec<Change>,
    /// Jobs on which operators acted.
    pub(crate) operated: HashSet<Uuid>,
}

impl Evidence {
    /// The row of one job.
    pub(crate) fn job(&self, id: Uuid) -> &JobRow {
        let found = self.jobs.iter().find(|job| job.id == id);
        found.unwrap_or_else(|| panic!("job {id} has a row"))
    }

    /// How the runs of one job ended, oldest first.
    pub(crate) fn outcomes(&self, id: Uuid) -> Vec<&str> {
        let runs = self.attempts.iter().filter(|run| run.job_id == id);
        runs.map(|run| run.outcome.as_str()).collect()
    }
}

/// Says what happened that may not, a line each.
pub(crate) fn violations(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(lost(evidence));
    found.extend(illegal_rows(evidence));
    found.extend(wrong_effects(evidence));
    found.extend(wrong_runs(evidence));
    found.extend(diary::broken(evidence));
    found
}

fn is_terminal(state: &str) -> bool {
    matches!(state, "done" | "dead" | "cancelled")
}

/// Every acknowledged job has a row, and nobody else's job has one.
fn lost(evidence: &Evidence) -> Vec<String> {
    let there: HashSet<Uuid> = evidence.jobs.iter().map(|job| job.id).collect();
    let asked: HashSet<Uuid> = evidence.intents.iter().map(|it| it.job_id).collect();
    let acknowledged = evidence.intents.iter().filter(|it| it.is_acknowledged);
    let lost = acknowledged.filter(|it| !there.contains(&it.job_id));
    let lost = lost.map(|it| format!("job {} was acknowledged and is lost", it.job_id));
    let unasked = there.difference(&asked);
    let unasked = unasked.map(|id| format!("nobody asked for job {id}"));
    lost.chain(unasked).collect()
}

/// A row has ended, or waits, or is leased; its counters are within their limits; keys are unique.
fn illegal_rows(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let mut live_keys = HashSet::new();
    for job in &evidence.jobs {
        let has_next_step = match job.state.as_str() {
            "ready" => !job.has_lease && !job.has_end,
            "running" => job.has_lease && !job.has_end,
            _ => job.is_terminal() && job.has_end && !job.has_lease,
        };
        if !has_next_step {
            found.push(format!(
                "job {} is {} without a next step",
                job.id, job.state
            ));
        }
        if job.attempt > job.max_attempts {
            found.push(format!("job {} took {} attempts", job.id, job.attempt));
        }
        if job.crash_count > CRASH_LIMIT {
            found.push(format!("job {} crashed {} times", job.id, job.crash_count));
        }
        if let Some(key) = job.key.as_ref().filter(|_| !job.is_terminal())
            && !live_keys.insert(key)
        {
            found.push(format!("two live jobs have the key {key}"));
        }
    }
    found
}

/// The ledger is what was promised, each effect once, and an effect that was recorded with its
/// outcome bears the token of the run that is down as done.
fn wrong_effects(evidence: &Evidence) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &evidence.ledger {
        *times.entry(&entry.effect).or_default() += 1;
    }
    let doubled = times.iter().filter(|(_, times)| **times > 1);
    let doubled = doubled.map(|(effect, times)| format!("{effect} happened {times} times"));
    let promised = |only_acknowledged: bool| -> BTreeSet<&str> {
        let intents = evidence.intents.iter();
        let meant = intents.filter(|it| it.is_acknowledged || !only_acknowledged);
        meant.filter_map(|it| it.effect.as_deref()).collect()
    };
    let happened: BTreeSet<&str> = times.keys().copied().collect();
    let owed = promised(true);
    let missing = owed.difference(&happened);
    let missing = missing.map(|effect| format!("{effect} was promised and never happened"));
    let allowed = promised(false);
    let unasked = happened.difference(&allowed);
    let unasked = unasked.map(|effect| format!("{effect} happened and nobody asked for it"));
    let lines: Vec<String> = doubled.chain(missing).chain(unasked).collect();
    lines.into_iter().chain(foreign_effects(evidence)).collect()
}

fn foreign_effects(evidence: &Evidence) -> Vec<String> {
    let done: HashSet<(Uuid, i64)> = evidence
        .attempts
        .iter()
        .filter(|run| run.outcome == "done")
        .map(|run| (run.job_id, run.run_token))
        .collect();
    let recorded = evidence.ledger.iter().filter(|entry| !entry.is_gated);
    let foreign = recorded.filter(|entry| !done.contains(&(entry.job_id, entry.run_token)));
    let said = foreign.map(|entry| {
        format!(
            "{} is of run {}, which is not down as done",
            entry.effect, entry.run_token
        )
    });
    said.collect()
}

/// Of each job at most one run is down as done, tokens grow with time, none is beyond the row's.
fn wrong_runs(evidence: &Evidence) -> Vec<String> {
    let mut runs: HashMap<Uuid, Vec<&AttemptRow>> = HashMap::new();
    for run in &evidence.attempts {
        runs.entry(run.job_id).or_default().push(run);
    }
    let mut found = Vec::new();
    for job in &evidence.jobs {
        let Some(runs) = runs.get_mut(&job.id) else {
            continue;
        };
        // By their ends: those of the lost are written by whoever takes over.
        runs.sort_by_key(|run| (run.finished_at_ms, run.run_token));
        if runs
            .windows(2)
            .any(|pair| pair[0].run_token >= pair[1].run_token)
        {
            found.push(format!(
                "a run of job {} has no larger token than one before",
                job.id
            ));
        }
        if runs.last().is_some_and(|run| run.run_token > job.run_token) {
            found.push(format!(
                "a run of job {} has a token beyond the job's",
                job.id
            ));
        }
        let done = runs.iter().filter(|run| run.outcome == "done").count();
        if done > 1 || (job.state == "done") != (done == 1) {
            found.push(format!(
                "job {} is {} and {done} runs are down as done",
                job.id, job.state
            ));
        }
    }
    found
}
