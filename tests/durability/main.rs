//! What the queue promises, against real worker processes and a real PostgreSQL that are killed,
//! frozen, cut off and starved from outside: nothing acknowledged is lost, nothing has its effect
//! twice, a late answer changes nothing. Each file is one fault, and each ends with the checker,
//! which compares what was asked with what handlers noted and with every change of every row.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]

mod behind_a_pooler;
mod bench;
mod checker;
mod evidence;
mod producer;
mod tick_record;
mod wire;
mod worker_plan;

mod answer_lost_after_commit;
mod backends_terminated;
mod busy_runtime;
mod connections_exhausted;
mod database_frozen;
mod database_stopped;
mod enqueued_in_a_transaction;
mod frozen_worker_wakes_up;
mod job_that_aborts_its_worker;
mod killed_and_restarted_under_its_name;
mod killed_around_a_tick;
mod killed_at_each_point;
mod killed_while_it_migrates;
mod killed_while_it_recovers;
mod listen_blocked;
mod many_jobs_many_workers;
mod metrics_move;
mod producers_race_for_a_key;
mod races;
mod retry_storm;
mod scaled_out_and_in;
mod terminated_during_a_long_job;
mod two_hours_without_a_worker;
mod unreadable_jobs;
