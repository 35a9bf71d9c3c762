//! Whether a node answers: asked through the API server, which passes the question on and keeps no answer.

use std::time::Duration;

use tokio::time::Instant;

use super::refusal::Refusal;
use super::{KubernetesRuntime, log};
use crate::RuntimeName;

const OPERATION: &str = "observe";
/// A node that works answers within milliseconds, a busy one within seconds.
const LIMIT: Duration = Duration::from_secs(5);
const BYTES: usize = 1024;

/// Asks the node of a pod for the last line of its log, whatever that is. Where anything but the node has
/// answered, or nothing in time, it did not: a refusal that has nothing to do with it is corrected by the
/// next look.
pub(super) async fn node_answers(runtime: &KubernetesRuntime, name: &RuntimeName) -> bool {
    let bounds = log::Bounds {
        lines: 1,
        bytes: BYTES,
        until: Instant::now() + LIMIT,
    };
    let tail = log::tail(runtime, OPERATION, name, &bounds);
    match tokio::time::timeout(LIMIT + LIMIT / 10, tail).await {
        Ok(Ok(_)) => true,
        Ok(Err(fault)) => fault.refusal().is_some_and(is_of_node),
        Err(_) => false,
    }
}

/// Tells whether a refusal of a log is the node's own. What it says of a container that has no log yet
/// names container and pod; the API server asks nobody about a pod or container that it does not know.
fn is_of_node(refusal: &Refusal) -> bool {
    refusal.status == 400 && refusal.message.contains("\" in pod \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_node_itself_says_is_its_answer() {
        let waiting =
            r#"container "environment" in pod "carrel-1" is waiting to start: ContainerCreating"#;
        let pulling = r#"container "environment" in pod "carrel-1" is waiting to start: trying and failing to pull image"#;
        let refused = r#"Get "https://10.0.0.7:10250/containerLogs/exams/carrel-1/environment": dial tcp 10.0.0.7:10250: connect: connection refused"#;
        for (status, said, is_answer) in [
            (400, waiting, true),
            (400, pulling, true),
            (500, refused, false),
            (502, waiting, false),
            (504, "", false),
            (403, "pods \"carrel-1\" is forbidden", false),
            (404, "pods \"carrel-1\" not found", false),
            (
                400,
                "container installer is not valid for pod carrel-1",
                false,
            ),
            (400, "pod carrel-1 does not have a host assigned", false),
        ] {
            let refusal = Refusal::read(status, None, said.as_bytes());
            assert_eq!(is_of_node(&refusal), is_answer, "{status} {said}");
        }
    }
}
