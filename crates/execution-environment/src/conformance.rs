//! What every runtime must do, as a suite that any runtime can be put under unchanged.
//!
//! A check panics with what it saw. Each makes environments under an install id of its own and
//! destroys them, also when it fails.

mod bench;
mod checks;
mod faults;
mod terminal;

use std::future::Future;
use std::pin::Pin;

pub use bench::Bench;

/// One check of the suite.
pub type Check = for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Every check by name, in no order that matters; each is independent of all others.
pub const CHECKS: [(&str, Check); 16] = [
    ("creating_twice_is_one_environment", |bench| {
        Box::pin(checks::creating_twice_is_one_environment(bench))
    }),
    ("of_racing_creators_one_creates", |bench| {
        Box::pin(checks::of_racing_creators_one_creates(bench))
    }),
    ("an_environment_is_seen_through_its_life", |bench| {
        Box::pin(checks::an_environment_is_seen_through_its_life(bench))
    }),
    ("a_sound_environment_is_proven", |bench| {
        Box::pin(checks::a_sound_environment_is_proven(bench))
    }),
    ("a_list_holds_one_install", |bench| {
        Box::pin(checks::a_list_holds_one_install(bench))
    }),
    ("a_snapshot_tells_status_and_log", |bench| {
        Box::pin(checks::a_snapshot_tells_status_and_log(bench))
    }),
    ("only_the_meant_uid_is_destroyed", |bench| {
        Box::pin(checks::only_the_meant_uid_is_destroyed(bench))
    }),
    ("force_ends_only_the_meant_uid", |bench| {
        Box::pin(checks::force_ends_only_the_meant_uid(bench))
    }),
    ("destroying_twice_is_gone_twice", |bench| {
        Box::pin(checks::destroying_twice_is_gone_twice(bench))
    }),
    ("a_new_attempt_has_a_new_uid", |bench| {
        Box::pin(checks::a_new_attempt_has_a_new_uid(bench))
    }),
    ("foreign_labels_are_a_name_conflict", |bench| {
        Box::pin(faults::foreign_labels_are_a_name_conflict(bench))
    }),
    ("a_missing_image_is_named", |bench| {
        Box::pin(faults::a_missing_image_is_named(bench))
    }),
    ("what_cannot_start_never_becomes_proven", |bench| {
        Box::pin(faults::what_cannot_start_never_becomes_proven(bench))
    }),
    ("a_stopped_environment_stays_stopped", |bench| {
        Box::pin(faults::a_stopped_environment_stays_stopped(bench))
    }),
    ("what_has_stopped_can_still_be_read", |bench| {
        Box::pin(faults::what_has_stopped_can_still_be_read(bench))
    }),
    ("a_terminal_echoes_through_keeper_frames", |bench| {
        Box::pin(terminal::a_terminal_echoes_through_keeper_frames(bench))
    }),
];
