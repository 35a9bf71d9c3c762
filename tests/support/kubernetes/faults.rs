//! What others do to an environment: deletion, eviction, a pod that matters more, a full quota.

use k8s_openapi::api::core::v1::{Pod, ResourceQuota, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{Account, TestCluster};
use crate::wait::{SOON, until};

impl TestCluster {
    /// Deletes one pod, as anybody with the right may: what runs inside gets its grace.
    pub async fn remove(&self, uid: &str) {
        let Some(pod) = self.pod_with(uid).await else {
            return;
        };
        let only_this = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        // It may be gone already: a worker destroys it too.
        self.pods().delete(&pod.name_any(), &only_this).await.ok();
    }

    /// Evicts one pod, as a drain of its node does.
    pub async fn evict(&self, name: &str) {
        let evicted = self.pods().evict(name, &EvictParams::default()).await;
        evicted.expect("the eviction is granted");
    }

    /// Makes a pod in the environments' namespace, with more rights than Carrel has.
    pub async fn make_pod(&self, pod: Value) -> Pod {
        let pod: Pod = serde_json::from_value(pod).expect("the pod is well-formed");
        let made = self.pods().create(&PostParams::default(), &pod).await;
        made.expect("the cluster takes the pod")
    }

    /// Waits until a pod of this name is gone.
    pub async fn await_no_pod(&self, name: &str) {
        until(&format!("pod {name} is gone"), SOON, async || {
            let found = self.pods().get_opt(name).await.ok()?;
            found.is_none().then_some(())
        })
        .await;
    }

    /// Lets the namespace hold this many pods.
    pub async fn allow_pods(&self, count: u32) {
        let quotas: Api<ResourceQuota> = Api::namespaced(self.client.clone(), &self.namespace());
        let patch = Patch::Merge(json!({ "spec": { "hard": { "pods": count.to_string() } } }));
        let patched = quotas
            .patch("carrel", &PatchParams::default(), &patch)
            .await;
        patched.expect("the chart makes a quota");
        // The controller copies it to the status, by which admission goes.
        until("the quota holds", SOON, async || {
            let quota = quotas.get_status("carrel").await.ok()?;
            let hard = quota.status?.hard?;
            (hard.get("pods")?.0 == count.to_string()).then_some(())
        })
        .await;
    }

    /// Deletes the namespace's default account; the cluster makes it anew within a moment.
    pub async fn delete_default_account(&self) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace());
        let deleted = accounts.delete("default", &DeleteParams::default()).await;
        deleted.expect("the namespace has a default account");
    }

    /// Takes an account's rights in the environments' namespace.
    pub async fn take_rights(&self, account: Account) -> TakenRights {
        let bindings: Api<RoleBinding> = Api::namespaced(self.client.clone(), &self.namespace());
        let binding = bindings.get(account.name()).await;
        let mut binding = binding.expect("the chart binds the account");
        let deleted = bindings
            .delete(account.name(), &DeleteParams::default())
            .await;
        deleted.expect("the binding is there");
        binding.metadata.resource_version = None;
        binding.metadata.uid = None;
        TakenRights { bindings, binding }
    }

    /// Makes a priority class of this system's own and returns its name.
    pub async fn make_priority_class(&self, value: i32) -> PriorityLease {
        let classes: Api<PriorityClass> = Api::all(self.client.clone());
        let class: PriorityClass = serde_json::from_value(json!({
            "metadata": { "name": self.release },
            "value": value,
        }))
        .expect("the class is well-formed");
        let made = classes.create(&PostParams::default(), &class).await;
        made.expect("the cluster takes the class");
        PriorityLease {
            classes,
            name: self.release.clone(),
        }
    }
}

/// What an account was allowed.
#[derive(Debug)]
pub struct TakenRights {
    bindings: Api<RoleBinding>,
    binding: RoleBinding,
}

impl TakenRights {
    /// Gives them back.
    pub async fn give_back(self) {
        let how = PostParams::default();
        let made = self.bindings.create(&how, &self.binding).await;
        made.expect("the cluster takes the binding");
    }
}

/// A priority class, which belongs to no namespace and so must be removed by itself.
#[derive(Debug)]
pub struct PriorityLease {
    classes: Api<PriorityClass>,
    /// Its name.
    pub name: String,
}

impl PriorityLease {
    /// Removes it.
    pub async fn remove(self) {
        let deleted = self
            .classes
            .delete(&self.name, &DeleteParams::default())
            .await;
        deleted.expect("the class is there");
    }
}
