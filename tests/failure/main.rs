//! One file per fault; each ends with the invariants.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]

mod clocks_wrong;
mod database_goes_wrong;
mod database_restarted_mid_provision;
mod duplicate_delivery;
mod each_word;
mod environment_removed_behind_our_back;
mod findings;
mod keeper_killed;
mod leaked_environment;
mod never_ready;
mod nobody_begins_or_comes;
mod preparation_refused;
mod prepared;
mod recorder_killed;
mod restored_older_database;
mod runtime_away;
mod runtime_goes_wrong;
mod scene;
mod sweep_is_struck;
mod sweep_paused;
mod teardown_hangs;
mod teardown_is_struck;
mod terminal_killed_mid_command;
mod use_case_loses_the_database;
mod worker_killed_between_create_and_record;
