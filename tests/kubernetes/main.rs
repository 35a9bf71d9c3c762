//! Stories and faults on a real cluster; each fault ends with the invariants.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]

mod components;
mod duplicate_delivery;
mod environment_taken_away;
mod exam_flow;
mod fifty_candidates;
mod foreign_pod_bears_our_name;
mod limits_of_one_environment;
mod never_ready;
mod pod_deleted_behind_our_back;
mod pods;
mod preparation_refused;
mod request_budget;
mod restored_older_database;
mod rights_missing;
mod two_workers_race;
mod worker_killed_at_every_call;
