//! One file per user's story, on real processes, a real database and real containers.

mod access_denied;
mod attach_terminal;
mod behind_a_pooler;
mod browser_exam;
mod create_session;
mod expire_session;
mod fifty_candidates;
mod operator_terminates;
mod worker_starts;
