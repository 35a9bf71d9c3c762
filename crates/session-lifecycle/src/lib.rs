#![doc = include_str!("../README.md")]

mod diagram;
mod error;
mod record;
mod request;
mod state;
mod store;
mod transition;

#[cfg(feature = "cli")]
pub mod cli;

pub use diagram::{DIAGRAM_BEGIN, DIAGRAM_END, diagram};
pub use error::{
    ErrorClass, ExtendError, FindError, InsertError, LoadError, RememberError, TransitionError,
};
pub use record::{
    Ending, EndingKind, ExtensionRecord, FailureRecord, SessionRecord, TransitionRecord,
};
pub use request::{
    Advance, Cause, ExamClock, Expected, Extended, Extension, Inserted, NewSession, Provenance,
    Remembered,
};
pub use state::{SessionState, TRANSITIONS, UnknownState, allowed_from, is_allowed};
pub use store::{
    SessionFilter, SignedExtension, SignedFilter, SignedTransition, advance, check_extension,
    count_named_sessions, count_named_transitions, count_old_request_keys, count_sessions,
    delete_old_request_keys, extend, extensions, find_due, find_past_startup, find_sessions,
    history, insert_session, list_sessions, list_signed_extensions, list_signed_transitions,
    load_session, load_session_identities, lock_session, pseudonymise_sessions,
    pseudonymise_transitions, recall_request, remember_request,
};
pub use transition::decide;
