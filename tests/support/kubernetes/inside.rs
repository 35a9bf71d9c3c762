//! Commands inside an environment, by the administrator's exec.

use kube::ResourceExt as _;
use kube::api::AttachParams;
use tokio::io::AsyncReadExt as _;

use super::TestCluster;
use super::looks::CONTAINER;
use crate::runtime::Said;
use crate::wait::{SOON, in_time};

impl TestCluster {
    /// Runs a script inside an environment, as the environment's own user.
    pub async fn run_inside(&self, uid: &str, script: &str) -> Said {
        let pod = self.pod_with(uid).await.expect("the environment is there");
        let name = pod.name_any();
        let parameters = AttachParams::default().container(CONTAINER).stderr(true);
        let command = ["/bin/bash", "-c", script];
        let mut process = self
            .pods()
            .exec(&name, command, &parameters)
            .await
            .expect("the command starts");
        let mut stdout = process.stdout().expect("it was asked for");
        let mut stderr = process.stderr().expect("it was asked for");
        let status = process.take_status().expect("it is taken once");
        let (mut text, mut complaints) = (Vec::new(), Vec::new());
        let both = async {
            let read = tokio::join!(
                stdout.read_to_end(&mut text),
                stderr.read_to_end(&mut complaints)
            );
            (read.0.and(read.1)).expect("the output is whole");
            status.await.expect("the cluster says how it ended")
        };
        let status = in_time("the script ends", SOON, both).await;
        text.extend_from_slice(&complaints);
        Said {
            text: String::from_utf8_lossy(&text).into_owned(),
            exit_code: exit_code(&status),
        }
    }
}

/// Success has no code; a failure has it among its causes.
fn exit_code(status: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Status) -> Option<i64> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let code = causes
        .iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_ref()?.parse().ok()
}
