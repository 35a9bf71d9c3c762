//! kube's own stream into a pod, with its defaults: what a terminal would be made of without ours.

use std::path::Path;

use carrel_keeper::BINARY_PATH;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, AttachedProcess};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

use crate::direct::Direct;
use crate::pods::NAMESPACE;

/// A client of the pods that a kubeconfig leads to.
pub(crate) async fn pods(kubeconfig: &Path) -> Api<Pod> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let context = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &context).await;
    let client = kube::Client::try_from(config.unwrap()).unwrap();
    Api::namespaced(client, NAMESPACE)
}

async fn attach(pods: &Api<Pod>, name: &str) -> AttachedProcess {
    let streams = AttachParams::default().stdin(true);
    let command = [BINARY_PATH, "attach"];
    pods.exec(name, command, &streams).await.unwrap()
}

/// A line of its own to a shell; the process has to be kept as long.
pub(crate) async fn line(pods: &Api<Pod>, name: &str) -> (Direct, AttachedProcess) {
    let mut process = attach(pods, name).await;
    let (reader, writer) = (process.stdout().unwrap(), process.stdin().unwrap());
    let line = Direct::over(Box::new(reader), Box::new(writer)).await;
    (line, process)
}

/// Opens a few and says so, then `count` more once it may, and holds them while anybody writes to it.
#[expect(clippy::print_stdout, reason = "who started it waits for the word")]
pub(crate) async fn hold(kubeconfig: &Path, count: usize) {
    const FEW: usize = 8;
    let pods = pods(kubeconfig).await;
    let mut told = BufReader::new(stdin()).lines();
    let mut held = Vec::new();
    for many in [FEW, count] {
        for _ in 0..many {
            let name = format!("held-{}", held.len());
            held.push(line(&pods, &name).await);
        }
        println!("{}", held.len());
        told.next_line().await.unwrap();
    }
}
