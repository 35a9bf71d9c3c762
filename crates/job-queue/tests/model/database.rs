//! What each statement does to the row.

use crate::{
    state::{CRASH_LIMIT, Claim, End, JobState, MAX_ATTEMPTS, Owner, Row, State},
    variant::Variant,
};

/// Whether a write of this run matches the row.
pub(crate) fn believes(variant: Variant, row: Row, claim: Claim) -> bool {
    row.state == JobState::Running
        && match variant {
            Variant::FencedByName => row.owner.is_some_and(|it| it.name == claim.owner.name),
            Variant::AttemptAsToken => row.attempt == claim.attempt,
            _ => row.token == claim.token,
        }
}

/// Whether the run owns the job, whatever the variant believes.
pub(crate) fn owns(row: Row, claim: Claim) -> bool {
    row.state == JobState::Running && row.token == claim.token
}

/// Whether a claim takes the row: one that is ready, or one whose lease has run out.
pub(crate) fn is_claimable(variant: Variant, state: &State, row: Row) -> bool {
    match row.state {
        JobState::Ready => true,
        JobState::Running => match variant {
            Variant::RescuedById => false,
            Variant::OrphansByName => row.owner.is_some_and(|it| !state.worker(it.name).is_up),
            _ => !row.is_leased,
        },
        JobState::Done | JobState::Dead => false,
    }
}

impl Row {
    pub(crate) const fn new() -> Self {
        Self {
            state: JobState::Ready,
            token: 0,
            attempt: 0,
            crash_count: 0,
            owner: None,
            is_leased: false,
        }
    }

    /// Takes the job for a new run; `None` where its last crash has parked it instead.
    pub(crate) fn claim(&mut self, variant: Variant, owner: Owner) -> Option<Claim> {
        if self.state == JobState::Running {
            self.crash_count += 1;
            if self.crash_count >= CRASH_LIMIT && variant != Variant::NoCrashLimit {
                self.leave(JobState::Dead);
                return None;
            }
        }
        // As a token it has to differ from run to run, so there a take-over counts too.
        if self.state == JobState::Ready || variant == Variant::AttemptAsToken {
            self.attempt += 1;
        }
        self.state = JobState::Running;
        self.token += 1;
        self.owner = Some(owner);
        self.is_leased = true;
        Some(Claim {
            owner,
            token: self.token,
            attempt: self.attempt,
        })
    }

    pub(crate) fn finish(&mut self, end: End) {
        let state = match end {
            End::Done => JobState::Done,
            End::Retry if self.attempt >= MAX_ATTEMPTS => JobState::Dead,
            End::Retry => JobState::Ready,
            End::GivenBack => {
                self.attempt = self.attempt.saturating_sub(1);
                JobState::Ready
            }
        };
        self.leave(state);
    }

    /// Gives back what a claim without a reply has taken.
    pub(crate) fn release(&mut self) {
        self.attempt = self.attempt.saturating_sub(1);
        self.leave(JobState::Ready);
    }

    /// Fences the run off, whoever it is.
    pub(crate) fn kill(&mut self, then: JobState) {
        self.token += 1;
        self.leave(then);
    }

    pub(crate) fn retry(&mut self) {
        self.attempt = 0;
        self.crash_count = 0;
        self.state = JobState::Ready;
    }

    pub(crate) fn leave(&mut self, state: JobState) {
        self.state = state;
        self.owner = None;
        self.is_leased = false;
    }
}
