//! One file per user's story, on real processes, a real database and real containers.

mod attach_terminal;
mod create_session;
mod expire_session;
