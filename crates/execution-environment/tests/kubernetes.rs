//! The Kubernetes runtime against a real cluster: the conformance suite that the engine passes too,
//! the proof of isolation with each protection removed in turn, and what is refused.

#[path = "kubernetes/accounts.rs"]
mod accounts;
#[path = "kubernetes/check.rs"]
mod check;
#[path = "kubernetes/hanging.rs"]
mod hanging;
#[path = "kubernetes/protections.rs"]
mod protections;
#[path = "kubernetes/refused.rs"]
mod refused;
#[path = "kubernetes/support.rs"]
mod support;

use execution_environment::conformance::CHECKS;
use support::on_bench;

macro_rules! conformance {
    ($($check:ident),+ $(,)?) => {
        $(#[tokio::test] async fn $check() { on_bench(stringify!($check)).await; })+

        #[test]
        fn every_check_of_the_suite_is_run_here() {
            let run = [$(stringify!($check)),+];
            for (name, _) in CHECKS {
                assert!(run.contains(&name), "{name} is not run");
            }
        }
    };
}

conformance!(
    creating_twice_is_one_environment,
    of_racing_creators_one_creates,
    an_environment_is_seen_through_its_life,
    a_sound_environment_is_proven,
    a_list_holds_one_install,
    a_snapshot_tells_status_and_log,
    only_the_meant_uid_is_destroyed,
    force_ends_only_the_meant_uid,
    destroying_twice_is_gone_twice,
    a_new_attempt_has_a_new_uid,
    foreign_labels_are_a_name_conflict,
    a_missing_image_is_named,
    what_cannot_start_never_becomes_proven,
    a_stopped_environment_stays_stopped,
    what_has_stopped_can_still_be_read,
    a_terminal_echoes_through_keeper_frames,
);
