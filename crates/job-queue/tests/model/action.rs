//! What may happen next.

use crate::{
    database::{believes, is_claimable},
    state::{End, JobState, Name, Row, Stage, State},
    variant::Variant,
};

/// What became of a request that reached the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Arrives,
    /// Committed, and nobody was told.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Delivery {
    Reply(Reply),
    /// It never arrived.
    RequestLost,
    /// It has not arrived yet, and the sender has given up waiting for the reply.
    RequestDelayed,
}

/// A number is the place of a run in `State::runs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Enqueue(Reply),
    Claim(Name, Reply),
    /// A worker in doubt gives back what it does not know to be running.
    ReleaseUnknown(Name),
    Beat(usize),
    /// The handler returns.
    End(usize, End),
    Answer(usize, Delivery),
    AdriftArrives,
    LeaseRunsOut,
    Crash(Name),
    Restart(Name),
    OperatorKills,
    OperatorKillsAndRequeues,
    OperatorRetries,
    SweeperNotices,
    SweeperRescues,
}

impl State {
    /// Lists everything that may happen next.
    pub(crate) fn list_actions(&self, variant: Variant, actions: &mut Vec<Action>) {
        self.list_of_the_enqueuer(actions);
        self.list_of_workers(variant, actions);
        for index in 0..self.runs.len() {
            self.list_of_run(variant, index, actions);
        }
        if self.adrift.is_some() {
            actions.push(Action::AdriftArrives);
        }
        self.list_of_the_row(variant, actions);
    }

    /// A key is free again once its job has ended, so asking again after that is another job.
    fn list_of_the_enqueuer(&self, actions: &mut Vec<Action>) {
        if !self.is_acknowledged && !self.has_ended() {
            actions.push(Action::Enqueue(Reply::Arrives));
            if self.faults_left > 0 {
                actions.push(Action::Enqueue(Reply::Lost));
            }
        }
    }

    fn list_of_workers(&self, variant: Variant, actions: &mut Vec<Action>) {
        for worker in &self.workers {
            let name = worker.owner.name;
            if !worker.is_up {
                actions.push(Action::Restart(name));
                continue;
            }
            if self.has_slot() && self.row.is_some_and(|row| is_claimable(variant, self, row)) {
                actions.push(Action::Claim(name, Reply::Arrives));
                if name == Name::Ada && self.faults_left > 0 {
                    actions.push(Action::Claim(name, Reply::Lost));
                }
            }
            if worker.is_in_doubt {
                actions.push(Action::ReleaseUnknown(name));
            }
            if name == Name::Ada && self.faults_left > 0 && self.has_run_of(name) {
                actions.push(Action::Crash(name));
            }
        }
    }

    fn list_of_run(&self, variant: Variant, index: usize, actions: &mut Vec<Action>) {
        let run = &self.runs[index];
        let is_believed = |row: &Row| believes(variant, *row, run.claim);
        let believing = self.row.filter(is_believed);
        if believing.is_some_and(|row| !row.is_leased) {
            actions.push(Action::Beat(index));
        }
        match run.stage {
            Stage::Working => {
                actions.extend([End::Done, End::Retry].map(|end| Action::End(index, end)));
                if self.detours_left > 0 {
                    actions.push(Action::End(index, End::GivenBack));
                }
            }
            Stage::Ended(_) => {
                actions.push(Action::Answer(index, Delivery::Reply(Reply::Arrives)));
                if self.faults_left > 0 {
                    self.list_of_losses(variant, index, believing.is_some(), actions);
                }
            }
            Stage::Forgotten => {}
        }
    }

    /// A loss that changes nothing is no other than not to have sent the answer yet.
    fn list_of_losses(
        &self,
        variant: Variant,
        index: usize,
        is_believed: bool,
        actions: &mut Vec<Action>,
    ) {
        if is_believed {
            actions.push(Action::Answer(index, Delivery::Reply(Reply::Lost)));
        }
        if variant == Variant::AnswerGivenUp {
            actions.push(Action::Answer(index, Delivery::RequestLost));
        }
        if self.adrift.is_none() && self.runs[index].claim.owner.name == Name::Ada {
            actions.push(Action::Answer(index, Delivery::RequestDelayed));
        }
    }

    fn list_of_the_row(&self, variant: Variant, actions: &mut Vec<Action>) {
        let Some(row) = self.row else { return };
        let is_running = row.state == JobState::Running;
        if is_running && row.is_leased {
            actions.push(Action::LeaseRunsOut);
        }
        if self.detours_left > 0 {
            if is_running {
                actions.extend([Action::OperatorKills, Action::OperatorKillsAndRequeues]);
            }
            if row.state == JobState::Dead {
                actions.push(Action::OperatorRetries);
            }
        }
        if variant == Variant::RescuedById {
            if is_running && !row.is_leased && !self.is_noticed {
                actions.push(Action::SweeperNotices);
            }
            if self.is_noticed {
                actions.push(Action::SweeperRescues);
            }
        }
    }
}
