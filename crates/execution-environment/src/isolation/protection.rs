//! The protections an environment has, each of which has a check of its own.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// Names one protection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Protection {
    /// Everything runs as the declared ordinary user.
    OrdinaryUser,
    /// No capability, not even one to be gained later.
    NoCapabilities,
    /// No program can gain privileges.
    NoNewPrivileges,
    /// System calls are filtered.
    SeccompFilter,
    /// The image cannot be changed.
    ReadOnlyRoot,
    /// Whatever can be written is declared and has a size.
    BoundedScratch,
    /// Nothing beyond the declared destinations is reachable.
    NoNetwork,
    /// Memory is limited, and swap does not extend it.
    MemoryLimit,
    /// Processor time is limited.
    CpuLimit,
    /// Processes and threads are limited.
    PidsLimit,
    /// Open files and processes per user are limited.
    ResourceLimits,
    /// The keeper is the first process.
    KeeperFirst,
    /// The keeper cannot be replaced.
    KeeperReadOnly,
    /// No device beyond the harmless ones.
    NoDevices,
    /// Nothing of the host is mounted.
    NoForeignMounts,
    /// No namespace is shared with the host.
    OwnNamespaces,
    /// Ids inside are not ids outside, where the exam asks for it.
    UserNamespace,
    /// No credential of the platform lies inside.
    NoPlatformToken,
    /// What ended stays ended.
    NoRestart,
    /// The runtime keeps a bounded log.
    BoundedLog,
}

impl Protection {
    /// Every protection.
    pub const ALL: [Self; 20] = [
        Self::OrdinaryUser,
        Self::NoCapabilities,
        Self::NoNewPrivileges,
        Self::SeccompFilter,
        Self::ReadOnlyRoot,
        Self::BoundedScratch,
        Self::NoNetwork,
        Self::MemoryLimit,
        Self::CpuLimit,
        Self::PidsLimit,
        Self::ResourceLimits,
        Self::KeeperFirst,
        Self::KeeperReadOnly,
        Self::NoDevices,
        Self::NoForeignMounts,
        Self::OwnNamespaces,
        Self::UserNamespace,
        Self::NoPlatformToken,
        Self::NoRestart,
        Self::BoundedLog,
    ];

    /// The protection as it is written in evidence and failure signals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrdinaryUser => "ordinary_user",
            Self::NoCapabilities => "no_capabilities",
            Self::NoNewPrivileges => "no_new_privileges",
            Self::SeccompFilter => "seccomp_filter",
            Self::ReadOnlyRoot => "read_only_root",
            Self::BoundedScratch => "bounded_scratch",
            Self::NoNetwork => "no_network",
            Self::MemoryLimit => "memory_limit",
            Self::CpuLimit => "cpu_limit",
            Self::PidsLimit => "pids_limit",
            Self::ResourceLimits => "resource_limits",
            Self::KeeperFirst => "keeper_first",
            Self::KeeperReadOnly => "keeper_read_only",
            Self::NoDevices => "no_devices",
            Self::NoForeignMounts => "no_foreign_mounts",
            Self::OwnNamespaces => "own_namespaces",
            Self::UserNamespace => "user_namespace",
            Self::NoPlatformToken => "no_platform_token",
            Self::NoRestart => "no_restart",
            Self::BoundedLog => "bounded_log",
        }
    }
}

impl Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
