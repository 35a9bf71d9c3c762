//! The queue's protocol, walked through every state it can reach: claim, beat, expire, answer, kill.
//!
//! One job, two workers, and a budget of crashes, losses and detours that lets every two of them
//! meet. Each step of [`state::State`] is one statement of this crate or one stroke of bad luck, so
//! what holds here holds for every interleaving of them. The faults that this design was made
//! against are kept as [`variant::Variant`]s: each must still be found, or the model has lost what
//! it could see.
//!
//! What a model cannot tell, `tests/queue` does against the database: that the statements do what
//! `database.rs` says they do.

mod action;
mod database;
mod fairness;
mod properties;
mod state;
mod step;
mod variant;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::{
    action::Action,
    state::{Name, State, Witness, Worker},
    variant::Variant,
};

/// Broken variants have no end of tokens; what is wrong with them shows long before this one.
const TOKENS: u8 = 6;

#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) variant: Variant,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            row: None,
            is_acknowledged: false,
            workers: [Name::Ada, Name::Bob].map(Worker::new),
            runs: Vec::new(),
            adrift: None,
            is_noticed: false,
            faults_left: 2,
            detours_left: 1,
            witness: Witness::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        state.list_actions(self.variant, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        next.step(self.variant, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::always();
        if self.variant == Variant::Sound {
            properties.extend(properties::sometimes());
        }
        properties
    }

    fn within_boundary(&self, state: &State) -> bool {
        self.variant == Variant::Sound || state.row.is_none_or(|row| row.token <= TOKENS)
    }
}

/// Fails unless there is a way to break the property.
fn assert_breaks(variant: Variant, property: &'static str) {
    let checker = Protocol { variant }.checker();
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = checker.finish_when(found).spawn_bfs().join();
    let way = checker.discovery(property);
    assert!(way.is_some(), "{variant:?} was to break: {property}");
}

#[test]
fn the_sound_protocol_keeps_every_property() {
    let variant = Variant::Sound;
    let checker = Protocol { variant }.checker().threads(2).spawn_bfs().join();
    let states = checker.unique_state_count();
    assert!(
        states > 200_000,
        "with {states} states it proves less than it did"
    );
    checker.assert_properties();
}

#[test]
fn fencing_by_name_lets_a_late_answer_through() {
    assert_breaks(Variant::FencedByName, properties::NO_STALE_WRITE);
    assert_breaks(Variant::FencedByName, properties::ONE_RUN);
}

#[test]
fn looking_for_orphans_by_name_keeps_the_job_of_a_restarted_worker_for_ever() {
    assert_breaks(Variant::OrphansByName, properties::NOTHING_STUCK);
}

#[test]
fn without_a_crash_limit_poison_has_no_end() {
    assert_breaks(Variant::NoCrashLimit, properties::CRASHES_END);
}

#[test]
fn an_answer_given_up_leaves_its_job_running_for_ever() {
    assert_breaks(Variant::AnswerGivenUp, properties::NOTHING_STUCK);
}

#[test]
fn a_rescue_by_id_runs_a_job_again_that_was_done() {
    assert_breaks(Variant::RescuedById, properties::ENDS_ARE_FINAL);
    assert_breaks(Variant::RescuedById, properties::ONE_DATABASE_EFFECT);
}

#[test]
fn an_attempt_that_a_snooze_gives_back_is_no_token() {
    assert_breaks(Variant::AttemptAsToken, properties::NO_STALE_WRITE);
}

#[test]
fn effects_keyed_by_the_run_happen_twice() {
    assert_breaks(Variant::EffectsKeyedByRun, properties::ONE_OUTSIDE_EFFECT);
}
