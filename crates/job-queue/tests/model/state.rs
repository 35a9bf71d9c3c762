//! What there is: one job's row, two workers, their runs, and an answer on its way.
//!
//! Time is only whether a lease has run out. A worker that pauses is one that takes no step while
//! that happens, so no state is needed for it.

/// Runs that may end without an answer before the job is parked.
pub(crate) const CRASH_LIMIT: u8 = 2;
/// Counted runs before a retry is an end.
pub(crate) const MAX_ATTEMPTS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// Meets every kind of bad luck, and after a crash comes back under the same name.
    Ada,
    /// Is slow, and may lose the reply to an answer.
    Bob,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) name: Name,
    /// Which start of the worker.
    pub(crate) incarnation: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) owner: Owner,
    pub(crate) is_up: bool,
    /// A claim of its own had no reply.
    pub(crate) is_in_doubt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JobState {
    Ready,
    Running,
    Done,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) state: JobState,
    pub(crate) token: u8,
    pub(crate) attempt: u8,
    pub(crate) crash_count: u8,
    pub(crate) owner: Option<Owner>,
    /// Whether the lease has not run out yet.
    pub(crate) is_leased: bool,
}

/// What a run may write with: the row as its claim left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    pub(crate) token: u8,
    pub(crate) attempt: u8,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// The handler called to the outside, and what it did to the database commits with this.
    Done,
    Retry,
    /// Not charged: a snooze, or a drain.
    GivenBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Working,
    /// Sent until it is answered.
    Ended(End),
    /// Not sent any more: only where answers are given up.
    Forgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) claim: Claim,
    pub(crate) stage: Stage,
}

/// What the properties look at and no part of the protocol sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    pub(crate) database_effects: u8,
    /// One bit for each key that was called to the outside with.
    pub(crate) outside_keys: u16,
    /// A run wrote that did not own the job.
    pub(crate) stale_write: bool,
    /// A job that had ended was live again without an operator.
    pub(crate) reopened: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// `None` until the enqueuing transaction has committed.
    pub(crate) row: Option<Row>,
    /// Whether whoever enqueued it knows.
    pub(crate) is_acknowledged: bool,
    pub(crate) workers: [Worker; 2],
    pub(crate) runs: Vec<Run>,
    /// A copy of an answer that the network still holds; its sender may be long gone.
    pub(crate) adrift: Option<(Claim, End)>,
    /// The sweeper has seen the lease run out: only where jobs are rescued by their id.
    pub(crate) is_noticed: bool,
    /// Crashes and losses still to come.
    pub(crate) faults_left: u8,
    /// Snoozes, drains and operators' acts still to come.
    pub(crate) detours_left: u8,
    pub(crate) witness: Witness,
}

impl State {
    pub(crate) fn worker(&self, name: Name) -> &Worker {
        &self.workers[name as usize]
    }

    pub(crate) fn worker_mut(&mut self, name: Name) -> &mut Worker {
        &mut self.workers[name as usize]
    }

    /// Two runs are what it takes for one of them to be stale, also two under one name.
    pub(crate) fn has_slot(&self) -> bool {
        self.runs.len() < 2
    }

    pub(crate) fn has_run_of(&self, name: Name) -> bool {
        self.runs.iter().any(|run| run.claim.owner.name == name)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.row.is_some_and(|row| row.state.is_final())
    }
}

impl JobState {
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Dead)
    }
}

impl Worker {
    pub(crate) const fn new(name: Name) -> Self {
        let owner = Owner {
            name,
            incarnation: 0,
        };
        Self {
            owner,
            is_up: true,
            is_in_doubt: false,
        }
    }
}
