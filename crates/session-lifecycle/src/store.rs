//! Every SQL statement of this crate. Only these functions write its four tables.

mod advance;
mod due;
mod extension;
mod history;
mod insert;
mod list;
mod pseudonym;
mod request_key;
mod session;
mod signed;

pub use advance::advance;
pub use due::{find_due, find_past_startup};
pub use extension::{check_extension, extend, extensions};
pub use history::history;
pub use insert::insert_session;
pub use list::{SessionFilter, count_sessions, find_sessions, list_sessions};
pub use pseudonym::{
    count_named_sessions, count_named_transitions, pseudonymise_sessions, pseudonymise_transitions,
};
pub use request_key::{
    count_old_request_keys, delete_old_request_keys, recall_request, remember_request,
};
pub use session::{load_session, lock_session};
pub use signed::{
    SignedExtension, SignedFilter, SignedTransition, list_signed_extensions,
    list_signed_transitions, load_session_identities,
};
