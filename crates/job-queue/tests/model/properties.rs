//! What must hold in every state, and what must be met in some.

use stateright::Property;

use crate::{
    Protocol,
    database::{believes, owns},
    fairness::ends_when_left_alone,
    state::{CRASH_LIMIT, JobState, Row, State},
};

pub(crate) const ONE_RUN: &str = "at most one run's writes are accepted";
pub(crate) const NO_STALE_WRITE: &str = "a stale run changes nothing";
pub(crate) const ONE_DATABASE_EFFECT: &str = "the handler's own writes commit at most once";
pub(crate) const ONE_OUTSIDE_EFFECT: &str = "the outside is called with one key only";
pub(crate) const ENDS_ARE_FINAL: &str = "only an operator makes an ended job live again";
pub(crate) const CRASHES_END: &str = "crashes never pass their limit";
pub(crate) const NOTHING_LOST: &str = "what was acknowledged is in the table";
pub(crate) const NOTHING_STUCK: &str = "a job that is left alone ends";

pub(crate) fn always() -> Vec<Property<Protocol>> {
    vec![
        Property::always(ONE_RUN, |it: &Protocol, state: &State| {
            state.row.is_none_or(|row| {
                let runs = state.runs.iter();
                runs.filter(|run| believes(it.variant, row, run.claim))
                    .count()
                    <= 1
            })
        }),
        Property::always(NO_STALE_WRITE, |_, state: &State| {
            !state.witness.stale_write
        }),
        Property::always(ONE_DATABASE_EFFECT, |_, state: &State| {
            state.witness.database_effects <= 1
        }),
        Property::always(ONE_OUTSIDE_EFFECT, |_, state: &State| {
            state.witness.outside_keys.count_ones() <= 1
        }),
        Property::always(ENDS_ARE_FINAL, |_, state: &State| !state.witness.reopened),
        Property::always(CRASHES_END, |_, state: &State| {
            state.row.is_none_or(|row| row.crash_count <= CRASH_LIMIT)
        }),
        Property::always(NOTHING_LOST, |_, state: &State| {
            !state.is_acknowledged || state.row.is_some()
        }),
        Property::always(NOTHING_STUCK, |it: &Protocol, state: &State| {
            ends_when_left_alone(it.variant, state)
        }),
    ]
}

/// A model in which these do not happen would prove nothing about them.
pub(crate) fn sometimes() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes("a job is done in spite of a crash", |_, state: &State| {
            let is_done = |row: &Row| row.state == JobState::Done && row.crash_count > 0;
            state.row.is_some_and(|row| is_done(&row))
        }),
        Property::sometimes(
            "a worker wakes up after its lease was taken over",
            |_, state: &State| {
                state.row.is_some_and(|row| {
                    row.state == JobState::Running
                        && state.runs.iter().any(|it| !owns(row, it.claim))
                })
            },
        ),
        Property::sometimes("an answer outlives its worker", |_, state: &State| {
            let sender = state.adrift.map(|(claim, _)| claim.owner);
            sender.is_some_and(|owner| state.worker(owner.name).owner != owner)
        }),
        Property::sometimes("crashes park a job", |_, state: &State| {
            state
                .row
                .is_some_and(|row| row.state == JobState::Dead && row.crash_count == CRASH_LIMIT)
        }),
    ]
}
