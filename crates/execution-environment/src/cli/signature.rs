//! Who does something to an environment by hand, and why.

use clap::Args;
use command_line::CliError;
use session_identity::{Actor, UserId};
use sqlx::PgConnection;

use super::{errors, isolation};
use crate::{EnvironmentAction, EnvironmentRecord, record_environment_action};

/// Says who and why, for `carrel audit list`.
#[derive(Args, Debug)]
pub struct SignatureArgs {
    /// The operator's user id; kept as `staff:<user id>`, and as `system:cli` where nobody is named
    #[arg(long = "as", value_name = "USER_ID", env = "CARREL_ACTOR", value_parser = isolation::user)]
    pub actor: Option<UserId>,
    /// Why, for whoever reads the record
    #[arg(long, value_name = "TEXT", value_parser = isolation::reason)]
    pub reason: Option<String>,
}

impl SignatureArgs {
    /// Puts on record what is about to be done to an environment, which is as `found` tells.
    pub(super) async fn sign(
        &self,
        conn: &mut PgConnection,
        action: EnvironmentAction,
        found: &EnvironmentRecord,
    ) -> Result<(), CliError> {
        let actor = self.actor.clone();
        let actor = actor.map_or(Actor::System("cli"), Actor::Staff);
        record_environment_action(conn, action, found, &actor, self.reason.as_deref())
            .await
            .map_err(errors::store)
    }
}
