#![doc = include_str!("../README.md")]

#[cfg(feature = "cli")]
pub mod cli;
mod id;
mod id_prefix;
mod principal;
mod user_id;

#[doc(hidden)]
pub use id::parse_id;
pub use id::{
    ExamSessionId, ExecutionEnvironmentId, IdError, IdProblem, InstallId, JobId, TerminalProcessId,
    WorkerIncarnation,
};
pub use id_prefix::{IdPrefix, IdPrefixError};
pub use principal::{Actor, LoginId, Principal, Role, RoleError};
pub use user_id::{UserId, UserIdError};

#[doc(hidden)]
pub use uuid;
