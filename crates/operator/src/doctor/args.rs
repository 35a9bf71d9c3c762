//! What `carrel doctor` is told.

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use command_line::DirectDatabaseArgs;
use environment_access::TokenArgs;
use execution_environment::engine::EngineArgs;
use execution_environment::kubernetes::KubernetesArgs;
use execution_environment::{Purpose, RuntimeArgs, RuntimeChoice};

use super::checks;

/// Says which runtime to look at, and with whose eyes.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Only these checks, joined by commas
    #[arg(
        long, value_name = "NAMES", value_delimiter = ',',
        value_parser = PossibleValuesParser::new(checks::names())
    )]
    pub only: Vec<String>,
    /// What ends with exit code 9
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
    /// Also prints what `carrel migrate up` would apply, which alone records that it was applied
    #[arg(long)]
    pub fix_sql: bool,
    /// Where processes listen.
    #[command(flatten)]
    pub direct: DirectDatabaseArgs,
    /// Where the keys for logins come from; looked at where one of its sources is named.
    #[command(flatten)]
    pub tokens: TokenArgs,
    /// Looks at the runtime as well, for which it must be named
    #[arg(long, env = "CARREL_RUNTIME", value_enum)]
    pub runtime: Option<RuntimeChoice>,
    /// Whose rights in the cluster are needed; give that process's kubeconfig
    #[arg(long, value_enum, default_value_t)]
    pub rights_of: RightsOf,
    /// The container engine; only looked at for `engine`.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// The cluster; only looked at for `kubernetes`.
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
}

/// What is bad enough to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Something is broken
    #[default]
    Error,
    /// As well what is merely worth knowing
    Warn,
}

/// Names a process by what it does with a runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RightsOf {
    /// Looks at environments.
    #[default]
    Operator,
    /// Makes and removes them; rehearses a pod without making it.
    Worker,
    /// Enters them.
    Terminal,
}

impl From<RightsOf> for Purpose {
    fn from(process: RightsOf) -> Self {
        match process {
            RightsOf::Operator => Self::Read,
            RightsOf::Worker => Self::Create,
            RightsOf::Terminal => Self::Attach,
        }
    }
}

impl DoctorArgs {
    /// What to look at and what for; `None` when no runtime was named.
    pub(super) fn chosen(self) -> Option<(RuntimeArgs, Purpose)> {
        let runtime = RuntimeArgs {
            runtime: self.runtime?,
            engine: self.engine,
            kubernetes: self.kubernetes,
        };
        Some((runtime, self.rights_of.into()))
    }
}
