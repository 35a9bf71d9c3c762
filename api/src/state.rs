//! What every handler may use.

use std::sync::Arc;

use environment_access::{Origins, TokenVerifier};
use job_queue::Waker;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::hints::Hints;
use crate::page_files::PageFiles;
use crate::security_headers::SecurityPolicies;

/// Holds the process's shared parts. Nothing in it says anything about a session: rows do.
#[derive(Debug)]
pub(crate) struct ApiState {
    pub(crate) pool: PgPool,
    /// One connection past any pooler, for listening.
    pub(crate) listening: PgPool,
    /// Tells workers, after a commit, that there is work.
    pub(crate) waker: Waker,
    pub(crate) verifier: TokenVerifier,
    pub(crate) origins: Origins,
    pub(crate) terminal_url: Url,
    pub(crate) security: SecurityPolicies,
    pub(crate) page: Option<PageFiles>,
    pub(crate) hints: Hints,
    pub(crate) streams: Arc<Semaphore>,
    /// Cancelled when the process stops: streams end, so that clients reconnect elsewhere.
    pub(crate) stopping: CancellationToken,
}
