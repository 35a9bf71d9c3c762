//! What becomes of a job that is left alone.
//!
//! `eventually` of the checker is right for models without cycles only, and this one has a heart
//! that beats. So the question is asked of each state: if from now on nothing crashes or is lost,
//! every worker is up and every handler returns, does the job end?

use crate::{
    action::{Action, Delivery, Reply},
    state::{End, State},
    variant::Variant,
};

/// More than any sound state needs: what is on its way arrives, a lease runs out, a claim takes the
/// job, and its run ends.
const STEPS: usize = 20;

pub(crate) fn ends_when_left_alone(variant: Variant, state: &State) -> bool {
    let (mut state, mut actions) = (state.clone(), Vec::new());
    for _ in 0..STEPS {
        if state.has_ended() {
            return true;
        }
        actions.clear();
        state.list_actions(variant, &mut actions);
        let next = actions.iter().filter(|action| rank(**action).is_some());
        match next.min_by_key(|action| rank(**action)) {
            Some(next) => state.step(variant, *next),
            None => return false,
        }
    }
    false
}

/// What goes first; `None` is bad luck. A heart that can beat does so before a lease runs out.
fn rank(action: Action) -> Option<u8> {
    match action {
        Action::Restart(_) | Action::ReleaseUnknown(_) | Action::AdriftArrives => Some(0),
        Action::Enqueue(Reply::Arrives) | Action::End(_, End::Done) => Some(1),
        Action::Answer(_, Delivery::Reply(Reply::Arrives)) => Some(2),
        Action::Beat(_) => Some(3),
        Action::SweeperNotices | Action::SweeperRescues => Some(4),
        Action::Claim(_, Reply::Arrives) => Some(5),
        Action::LeaseRunsOut => Some(6),
        _ => None,
    }
}
