//! Whether the cluster keeps environments off the network, as their own proofs say.

use command_line::CliError;
use execution_environment::{
    IsolationWaiver, Protection, RuntimeKind, find_newest_proof, find_valid_waiver,
};
use sqlx::PgConnection;

use super::facts::store;
use super::report::Check;

const NAME: &str = "network_policy";

/// No API tells whether a `NetworkPolicy` is enforced: only environments that tried do. While a
/// waiver counts, not even they need to.
pub(super) async fn proven(connection: &mut PgConnection) -> Result<Check, CliError> {
    let waiver = find_valid_waiver(connection, Protection::NoNetwork).await;
    if let Some(waiver) = waiver.map_err(store)? {
        return Ok(waived(&waiver));
    }
    let proof = find_newest_proof(connection, RuntimeKind::Kubernetes).await?;
    Ok(match proof {
        Some(proof) => {
            let (session_id, at) = (proof.session_id, proof.up_at);
            Check::ok(
                NAME,
                format!("enforced, as session {session_id} proved at {at}"),
            )
        }
        None => Check::warning(
            NAME,
            "not known to be enforced: no environment has proved it yet",
            "create a session: its environment proves it before it becomes ready, and else fails \
             infra.isolation_unproven with what answered",
        )
        .code("network_policy.unknown"),
    })
}

fn waived(waiver: &IsolationWaiver) -> Check {
    let IsolationWaiver {
        id,
        reason,
        granted_by,
        expires_at,
        ..
    } = waiver;
    Check::warning(
        NAME,
        format!("need not be proven until {expires_at}, as {granted_by} decided: {reason}"),
        format!("carrel environments isolation revoke {id}, once the cluster enforces it"),
    )
    .code("network_policy.waived")
}
