//! Plans for what a runtime and a database can say of each other.

use proptest::prelude::*;
use session_identity::InstallId;

use super::*;

/// One world in which every environment is where it should be.
fn world(sessions: usize) -> SweepInput {
    let install_id = InstallId::generate();
    let known: Vec<_> = (0..sessions)
        .map(|index| KnownSession {
            session_id: ExamSessionId::generate(),
            state: SessionState::Running,
            environment_state: EnvironmentState::Up,
            attempt: 1,
            runtime_uid: Some(RuntimeUid::from_runtime(format!("uid-{index:04}"))),
        })
        .collect();
    let listed = known.iter().map(|row| listed(install_id, row)).collect();
    SweepInput {
        install_id,
        any_session: true,
        listed,
        known,
    }
}

fn listed(install_id: InstallId, row: &KnownSession) -> ListedEnvironment {
    ListedEnvironment {
        name: RuntimeName::for_attempt(row.session_id, row.attempt),
        uid: row.runtime_uid.clone().unwrap(),
        install_id,
        session_id: row.session_id,
        attempt: row.attempt,
    }
}

fn planned(input: &SweepInput) -> SweepPlan {
    plan(input, &ExpiryPolicy::default())
}

fn known_for(plan: &SweepPlan, seconds: u64) -> HashMap<RuntimeUid, Duration> {
    let age = Duration::from_secs(seconds);
    plan.orphans
        .iter()
        .map(|orphan| (orphan.uid.clone(), age))
        .collect()
}

#[test]
fn where_everything_is_as_it_should_be_nothing_is_done() {
    let plan = planned(&world(20));
    assert_eq!(
        plan,
        SweepPlan {
            listed: 20,
            ..SweepPlan::default()
        }
    );
    assert_eq!(planned(&world(0)), SweepPlan::default());
}

#[test]
fn an_orphan_is_deleted_on_its_second_sighting_a_period_later_by_its_uid() {
    let mut input = world(3);
    let lost = input.known.remove(1);
    let plan = planned(&input);
    assert_eq!(plan.orphans.len(), 1);
    assert_eq!(plan.orphans[0].cause, OrphanCause::NoRow);
    let policy = ExpiryPolicy::default();
    assert_eq!(plan.deletions(&HashMap::new(), &policy), []);
    assert_eq!(plan.deletions(&known_for(&plan, 0), &policy), []);
    assert_eq!(plan.deletions(&known_for(&plan, 59), &policy), []);
    let deletions = plan.deletions(&known_for(&plan, 60), &policy);
    assert_eq!(deletions.len(), 1);
    assert_eq!(Some(&deletions[0].uid), lost.runtime_uid.as_ref());
}

#[test]
fn the_environment_of_an_ended_session_is_no_orphan_and_nobody_looks_for_it() {
    for state in SessionState::TERMINAL {
        let mut input = world(2);
        input.known[0].state = state;
        let plan = planned(&input);
        assert!(plan.orphans.is_empty() && plan.recheck.is_empty() && plan.stale.is_empty());
    }
}

#[test]
fn an_environment_that_was_confirmed_gone_and_is_listed_is_an_orphan() {
    let mut input = world(2);
    input.known[0].state = SessionState::Terminated;
    input.known[0].environment_state = EnvironmentState::Gone;
    assert_eq!(planned(&input).orphans[0].cause, OrphanCause::ConfirmedGone);
}

#[test]
fn a_stale_attempt_is_deleted_by_its_own_uid_and_the_new_one_stays() {
    let mut input = world(1);
    let old = input.listed[0].clone();
    input.known[0].attempt = 2;
    input.known[0].runtime_uid = Some(RuntimeUid::from_runtime("new"));
    input.listed.push(listed(input.install_id, &input.known[0]));
    let plan = planned(&input);
    assert_eq!(plan.stale.len(), 1);
    assert_eq!(
        (&plan.stale[0].uid, plan.stale[0].cause),
        (&old.uid, DeletionCause::StaleAttempt)
    );
    assert!(plan.orphans.is_empty() && plan.recheck.is_empty());
}

#[test]
fn a_creation_in_flight_is_left_alone() {
    let mut input = world(1);
    input.known[0].environment_state = EnvironmentState::Creating;
    input.known[0].runtime_uid = None;
    assert_eq!(
        planned(&input),
        SweepPlan {
            listed: 1,
            ..SweepPlan::default()
        }
    );
    input.listed.clear();
    assert_eq!(planned(&input), SweepPlan::default());
}

#[test]
fn another_uid_and_a_missing_environment_are_rechecked_and_nothing_is_concluded() {
    let mut input = world(3);
    input.known[0].runtime_uid = Some(RuntimeUid::from_runtime("another"));
    input.listed.remove(2);
    let plan = planned(&input);
    let mut wanted = vec![input.known[0].session_id, input.known[2].session_id];
    wanted.sort_unstable();
    assert_eq!(plan.recheck, wanted);
    assert!(plan.orphans.is_empty() && plan.stale.is_empty());
}

#[test]
fn the_valve_closes_above_five_orphans_or_a_tenth() {
    for (sessions, lost, refused) in [
        (20, 5, false),
        (20, 6, true),
        (100, 10, false),
        (100, 11, true),
    ] {
        let mut input = world(sessions);
        input.known.drain(..lost);
        let plan = planned(&input);
        assert_eq!(plan.refusal.is_some(), refused, "{lost} of {sessions}");
        assert_eq!(plan.orphans.len(), if refused { 0 } else { lost });
    }
}

#[test]
fn an_empty_a_foreign_and_an_older_database_delete_nothing() {
    let mut empty = world(2);
    empty.any_session = false;
    empty.known.clear();
    assert_eq!(
        planned(&empty).refusal,
        Some(Refusal::NoSessions { listed: 2 })
    );

    let mut foreign = world(2);
    foreign.install_id = InstallId::generate();
    assert!(matches!(
        planned(&foreign).refusal,
        Some(Refusal::ForeignInstall { .. })
    ));

    let mut older = world(2);
    older.listed[1].attempt = 2;
    let refusal = planned(&older).refusal;
    assert!(matches!(
        refusal,
        Some(Refusal::RowsOlderThanRuntime {
            known: 1,
            found: 2,
            ..
        })
    ));
}

prop_compose! {
    /// Any world, however broken: rows missing, ended, gone, of other attempts and uids.
    fn broken_world()(faults in prop::collection::vec(0u8..9, 0..80), any_session: bool) -> SweepInput {
        let mut input = world(faults.len());
        input.any_session = any_session || !faults.iter().all(|fault| *fault == 1);
        let mut lost = HashSet::new();
        for (index, fault) in faults.iter().enumerate() {
            let row = &mut input.known[index];
            match fault {
                1 => { lost.insert(row.session_id); }
                2 => row.state = SessionState::Terminated,
                3 => row.environment_state = EnvironmentState::Gone,
                4 => row.attempt = 2,
                5 => row.runtime_uid = None,
                6 => row.runtime_uid = Some(RuntimeUid::from_runtime(format!("other-{index}"))),
                _ => {}
            }
        }
        input.known.retain(|row| !lost.contains(&row.session_id));
        input
    }
}

proptest! {
    /// Whatever is seen: a live session's recorded environment is never deleted, deletions stay
    /// within the valve, a refusal touches nothing, and the order of the inputs means nothing.
    #[test]
    fn no_plan_harms_a_live_session(input in broken_world()) {
        let policy = ExpiryPolicy::default();
        let plan = plan(&input, &policy);
        let deletions = plan.deletions(&known_for(&plan, 3600), &policy);
        for row in input.known.iter().filter(|row| {
            !row.state.is_terminal() && row.environment_state != EnvironmentState::Gone
        }) {
            prop_assert!(deletions.iter().all(|deletion| Some(&deletion.uid) != row.runtime_uid.as_ref()));
        }
        prop_assert!(plan.orphans.len() <= policy.orphan_limit(input.listed.len()));
        if plan.refusal.is_some() {
            prop_assert!(deletions.is_empty() && plan.recheck.is_empty());
        }
        let mut reversed = input.clone();
        reversed.listed.reverse();
        reversed.known.reverse();
        let mirrored = super::plan(&reversed, &policy);
        prop_assert_eq!(mirrored, plan);
    }
}
