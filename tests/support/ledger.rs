//! The kinds of job that note what they did, and the tables in which a test finds it: what ran is
//! told by those who ran it, not by the queue.

mod schema;

use std::time::Duration;

use job_queue::{Job, JobContext};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

pub use schema::create_ledger;

/// Where a job's first run kills its own process, with SIGKILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Point {
    /// Claimed, nothing done.
    Started,
    /// The effect is written and not committed.
    MidEffect,
    /// The effect is there, its outcome is not: for a `note` before the commit of both.
    AfterEffect,
    /// Effect and outcome are committed, the handler has not returned.
    AfterRecord,
    /// The worker was told to stop and has told the handler.
    Shutdown,
}

/// What a job asks for. Later runs do the same without dying, and without taking time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The effect's name; one job of a test each.
    pub effect: String,
    /// The deduplication key.
    pub key: Option<String>,
    /// How long the first run works before its effect, in milliseconds.
    pub before_ms: u64,
    /// How long the first run works after it, in milliseconds.
    pub after_ms: u64,
    /// Where the first run kills its process.
    pub kill_at: Option<Point>,
    /// Works on when it is told to stop.
    pub is_stubborn: bool,
    /// The second run takes its time too.
    pub is_slow_twice: bool,
    /// Works with one of the process's connections in hand.
    pub holds_connection: bool,
    /// Runs that end in a retry before anything is done.
    pub failures: i32,
}

impl Task {
    /// Asks for one effect and nothing else.
    pub fn new(effect: impl Into<String>) -> Self {
        Self {
            effect: effect.into(),
            ..Self::default()
        }
    }

    /// Works so long before its effect.
    #[must_use]
    pub fn working(mut self, before: Duration) -> Self {
        self.before_ms = u64::try_from(before.as_millis()).expect("a short time");
        self
    }

    /// Works so long after its effect.
    #[must_use]
    pub fn lingering(mut self, after: Duration) -> Self {
        self.after_ms = u64::try_from(after.as_millis()).expect("a short time");
        self
    }

    /// Kills its process once.
    #[must_use]
    pub fn killing_at(mut self, point: Point) -> Self {
        self.kill_at = Some(point);
        self
    }

    /// Does not listen when told to stop.
    #[must_use]
    pub fn stubborn(mut self) -> Self {
        self.is_stubborn = true;
        self
    }

    /// Takes its time in the second run too.
    #[must_use]
    pub fn slow_twice(mut self) -> Self {
        self.is_slow_twice = true;
        self
    }

    /// Keeps a connection of the handlers' pool while it works.
    #[must_use]
    pub fn holding_a_connection(mut self) -> Self {
        self.holds_connection = true;
        self
    }

    /// Fails so many times first.
    #[must_use]
    pub fn failing(mut self, failures: i32) -> Self {
        self.failures = failures;
        self
    }

    /// Has a deduplication key.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// A kind of this suite.
pub trait LedgerJob: Job {
    /// The effect that must be there once, however often the job is run; `None` where it never
    /// comes to that.
    fn promised(&self) -> Option<&str>;
}

macro_rules! kind {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $timeout:expr, $promises:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Task);

        impl Job for $name {
            const KIND: &'static str = $kind;
            const QUEUE: &'static str = "durability";
            const MAX_ATTEMPTS: i32 = 20;
            const TIMEOUT: Duration = $timeout;

            fn key(&self) -> Option<String> {
                self.0.key.clone()
            }
        }

        impl LedgerJob for $name {
            fn promised(&self) -> Option<&str> {
                $promises.then_some(self.0.effect.as_str())
            }
        }
    };
}

kind!(
    /// Writes its effect and its outcome in one transaction: exactly once.
    Note,
    "note",
    Duration::from_hours(1),
    true
);
kind!(
    /// Writes its effect past the queue, through a gate that lets each effect pass once.
    External,
    "external",
    Duration::from_hours(1),
    true
);
kind!(
    /// Aborts its process, every time.
    Abort,
    "abort",
    Duration::from_hours(1),
    false
);
kind!(
    /// Holds a thread of the runtime without ever yielding it, then as `External`.
    Spin,
    "spin",
    SPIN_TIMEOUT,
    true
);

kind!(
    /// Snoozes once; then it works until it is told to stop, which is when its time is over.
    Brief,
    "brief",
    Duration::from_millis(200),
    false
);
kind!(
    /// Works until it is told to stop, and then says that it is done.
    Told,
    "told",
    Duration::from_hours(1),
    false
);

/// How long a `spin` may take.
pub const SPIN_TIMEOUT: Duration = Duration::from_secs(8);

/// The schedule of this suite.
pub const TICKING: &str = "ticking";

/// Who writes an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The transaction that also ends the run; a second effect would stand in the ledger.
    Record,
    /// The gate that a target outside has: what it knows already it takes without effect.
    Gate,
}

/// Writes an effect into the ledger.
///
/// # Errors
/// Whatever the database says.
pub async fn append(
    connection: &mut PgConnection,
    context: &JobContext,
    effect: &str,
    through: Through,
) -> Result<(), sqlx::Error> {
    // Not a checked query: no migration makes this table. The names of effects are ours.
    assert!(!effect.contains('\''), "{effect} needs no quoting");
    let is_gated = through == Through::Gate;
    let statement = format!(
        "INSERT INTO durability.ledger (job_id, run_token, effect, is_gated)
         VALUES ('{}', {}, '{effect}', {is_gated})
         ON CONFLICT (effect) WHERE is_gated DO NOTHING",
        context.job_id, context.run_token,
    );
    let written = sqlx::raw_sql(AssertSqlSafe(statement));
    written.execute(connection).await.map(|_| ())
}
