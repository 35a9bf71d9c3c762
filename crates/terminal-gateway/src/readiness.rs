//! Can this process take new terminals?

use std::time::Duration;

use environment_access::current_epochs;
use execution_environment::RuntimeFinding;
use telemetry::Readiness;

use crate::state::GatewayState;

/// Probes have deadlines of their own; a database that takes longer is not there.
const DEADLINE: Duration = Duration::from_secs(2);

/// Runs the very statement the terminals live by: it proves connection and schema at once. The
/// answer names no host and no error text, since the port is public.
pub(crate) async fn check(state: &GatewayState) -> Readiness {
    if state.draining.is_cancelled() {
        return not_ready("the process is about to stop");
    }
    // Keys that were fetched once stay in use, so an issuer's outage makes nobody unready; nor does one
    // that takes all of them back.
    if let Some(why) = state.verifier.why_not_ready() {
        return not_ready(why);
    }
    let asked = async {
        let mut conn = state.pool.acquire().await?;
        current_epochs(&mut conn, &[]).await
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        // Terminals that are open here live on through an outage of the runtime, and whoever
        // connects again needs a replica that answers: only one that never worked stays out.
        Ok(Ok(_)) if state.health.was_well() => Readiness::Ready,
        Ok(Ok(_)) => of_runtime(state.health.findings()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database could not be asked");
            not_ready("the database does not answer, or lacks a migration")
        }
        Err(_) => not_ready("the database does not answer in time"),
    }
}

/// What the last look at the runtime found, by its codes; the log has the words and the mend.
fn of_runtime(findings: Option<Vec<RuntimeFinding>>) -> Readiness {
    let Some(findings) = findings else {
        return not_ready("the runtime has not answered yet");
    };
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    if codes.is_empty() {
        return Readiness::Ready;
    }
    let codes = codes.join(", ");
    not_ready(&format!("environments cannot be entered: {codes}"))
}

fn not_ready(reason: &str) -> Readiness {
    Readiness::NotReady {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_port_names_codes_and_neither_hosts_nor_error_texts() {
        assert_eq!(of_runtime(Some(Vec::new())), Readiness::Ready);
        let finding = RuntimeFinding {
            code: "cluster.unreachable",
            message: "https://10.0.0.1:6443 does not answer".to_owned(),
            mend: "ask for it".to_owned(),
        };
        let Readiness::NotReady { reason } = of_runtime(Some(vec![finding])) else {
            panic!("not ready")
        };
        assert_eq!(
            reason,
            "environments cannot be entered: cluster.unreachable"
        );
        assert_ne!(of_runtime(None), Readiness::Ready);
    }
}
