//! Removing namespaces: a system's own, and those of a run that was killed.

use std::str::FromStr as _;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt as _};

use super::chart::{RUN_LABEL, uninstall_policy};
use super::{exams_namespace, surroundings};

/// Removes what killed runs left.
pub(super) async fn clear(client: &Client) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let ours = ListParams::default().labels(RUN_LABEL);
    let found = namespaces.list(&ours).await;
    for namespace in found.expect("the cluster answers").items {
        let run = namespace.labels().get(RUN_LABEL);
        let run = run.and_then(|run| u32::from_str(run).ok());
        let is_ending = namespace.metadata.deletion_timestamp.is_some();
        if !is_ending && !run.is_some_and(crate::leftovers::lives) {
            remove(client, &namespace.name_any()).await;
        }
    }
}

/// Asks for the end of a system's namespaces; the cluster takes its time.
pub(super) async fn remove(client: &Client, release: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    // The one that bears the mark goes last, so that an interruption leaves it to the next run.
    let names = [
        exams_namespace(release),
        surroundings(release),
        release.to_owned(),
    ];
    for name in names {
        if name == release {
            uninstall_policy(release).await;
        }
        // It may be gone already.
        namespaces
            .delete(&name, &DeleteParams::default())
            .await
            .ok();
    }
}
