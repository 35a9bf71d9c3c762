//! The handlers: load → decide → act → record, each safe to run twice and to be killed anywhere.

mod activate;
mod attempt;
mod destroy;
mod observe;
mod outcome;
mod provision;
mod setback;
pub(crate) use setback::failure;
mod terminate;

use std::sync::Arc;

use execution_environment::EnvironmentRuntime;
use job_queue::{BulkOperation, OperationHandler, Registry, Waker};
use sqlx::PgPool;

use crate::{
    ActivateSession, DestroyEnvironment, ObserveEnvironment, ProvisionEnvironment, TerminateSession,
};

/// What every handler works with.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// The database.
    pub pool: PgPool,
    /// Where environments live.
    pub runtime: Arc<dyn EnvironmentRuntime>,
    /// Tells the workers that there is something new.
    pub waker: Waker,
}

/// Lists every kind with its handler: the one place where they meet.
pub fn registry(workshop: &Workshop) -> Registry {
    Registry::new()
        .register::<ProvisionEnvironment, _>(provision::Provision(workshop.clone()))
        .register::<ObserveEnvironment, _>(observe::Observe(workshop.clone()))
        .register::<ActivateSession, _>(activate::Activate(workshop.clone()))
        .register::<TerminateSession, _>(terminate::Terminate(workshop.clone()))
        .register::<DestroyEnvironment, _>(destroy::Destroy(workshop.clone()))
        .register::<BulkOperation, _>(OperationHandler::new(workshop.pool.clone()))
}
