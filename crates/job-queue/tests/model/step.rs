//! What an action does.

use crate::{
    action::{Action, Delivery, Reply},
    database::{believes, owns},
    state::{Claim, End, JobState, Name, Row, Run, Stage, State},
    variant::Variant,
};

/// Who writes to the row, as the properties judge it.
#[derive(Clone, Copy)]
enum Writer {
    Run(Claim),
    Queue,
    Operator,
}

impl State {
    pub(crate) fn step(&mut self, variant: Variant, action: Action) {
        match action {
            Action::Enqueue(reply) => self.enqueue(reply),
            Action::Claim(name, reply) => self.claim(variant, name, reply),
            Action::ReleaseUnknown(name) => self.release_unknown(name),
            Action::Beat(run) => {
                let claim = self.runs[run].claim;
                self.write(Writer::Run(claim), |row| row.is_leased = true);
            }
            Action::End(run, end) => self.end(variant, run, end),
            Action::Answer(run, delivery) => self.answer(variant, run, delivery),
            Action::AdriftArrives => {
                if let Some((claim, end)) = self.adrift.take() {
                    self.finish(variant, claim, end);
                }
            }
            Action::LeaseRunsOut => self.write(Writer::Queue, |row| row.is_leased = false),
            Action::Crash(name) => self.crash(name),
            Action::Restart(name) => {
                let worker = self.worker_mut(name);
                worker.is_up = true;
                worker.owner.incarnation += 1;
            }
            Action::OperatorKills => self.operate(|row| row.kill(JobState::Dead)),
            Action::OperatorKillsAndRequeues => self.operate(|row| row.kill(JobState::Ready)),
            Action::OperatorRetries => self.operate(Row::retry),
            Action::SweeperNotices => self.is_noticed = true,
            Action::SweeperRescues => {
                self.is_noticed = false;
                self.write(Writer::Queue, |row| row.leave(JobState::Ready));
            }
        }
    }

    /// The key finds the job that is there already.
    fn enqueue(&mut self, reply: Reply) {
        self.row.get_or_insert(Row::new());
        match reply {
            Reply::Arrives => self.is_acknowledged = true,
            Reply::Lost => self.faults_left -= 1,
        }
    }

    fn claim(&mut self, variant: Variant, name: Name, reply: Reply) {
        let owner = self.worker(name).owner;
        let mut claimed = None;
        self.write(Writer::Queue, |row| claimed = row.claim(variant, owner));
        if reply == Reply::Lost {
            self.faults_left -= 1;
            self.worker_mut(name).is_in_doubt = true;
        } else if let Some(claim) = claimed {
            let stage = Stage::Working;
            self.runs.push(Run { claim, stage });
        }
    }

    fn release_unknown(&mut self, name: Name) {
        let owner = self.worker(name).owner;
        self.worker_mut(name).is_in_doubt = false;
        let Some(row) = self.row else { return };
        let is_known = self.runs.iter().any(|run| run.claim.token == row.token);
        if row.owner == Some(owner) && !is_known {
            self.write(Writer::Queue, Row::release);
        }
    }

    fn end(&mut self, variant: Variant, run: usize, end: End) {
        match end {
            End::Done => {
                let key = match variant {
                    Variant::EffectsKeyedByRun => self.runs[run].claim.token,
                    _ => 0,
                };
                self.witness.outside_keys |= 1 << key;
            }
            End::GivenBack => self.detours_left -= 1,
            End::Retry => {}
        }
        self.runs[run].stage = Stage::Ended(end);
    }

    fn answer(&mut self, variant: Variant, index: usize, delivery: Delivery) {
        let Run { claim, stage } = self.runs[index];
        let Stage::Ended(end) = stage else { return };
        match delivery {
            Delivery::Reply(_) => self.finish(variant, claim, end),
            Delivery::RequestDelayed => self.adrift = Some((claim, end)),
            Delivery::RequestLost => {}
        }
        if delivery == Delivery::Reply(Reply::Arrives) {
            self.runs.remove(index);
            return;
        }
        self.faults_left -= 1;
        if variant == Variant::AnswerGivenUp {
            self.runs[index].stage = Stage::Forgotten;
        }
    }

    /// The handler's own writes are in the same transaction.
    fn finish(&mut self, variant: Variant, claim: Claim, end: End) {
        let is_believed = |row| believes(variant, row, claim);
        if self.row.is_some_and(is_believed) {
            self.witness.database_effects += u8::from(end == End::Done);
            self.write(Writer::Run(claim), |row| row.finish(end));
        }
    }

    fn crash(&mut self, name: Name) {
        self.faults_left -= 1;
        self.runs.retain(|run| run.claim.owner.name != name);
        let worker = self.worker_mut(name);
        worker.is_up = false;
        worker.is_in_doubt = false;
    }

    fn operate(&mut self, change: impl FnOnce(&mut Row)) {
        self.detours_left -= 1;
        self.write(Writer::Operator, change);
    }

    /// The one place where the row changes, and where it is seen who changed it.
    fn write(&mut self, writer: Writer, change: impl FnOnce(&mut Row)) {
        let Some(row) = &mut self.row else { return };
        let before = *row;
        change(row);
        let (was_final, is_final) = (before.state.is_final(), row.state.is_final());
        match writer {
            Writer::Run(claim) => self.witness.stale_write |= !owns(before, claim),
            Writer::Queue => self.witness.reopened |= was_final && !is_final,
            Writer::Operator => {}
        }
    }
}
