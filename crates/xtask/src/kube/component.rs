//! The daemons a cluster consists of, one by one.

use std::fmt;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::Serialize;

/// A daemon of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Component {
    /// Runs the containers.
    Containerd,
    /// Keeps the API server's objects.
    Etcd,
    /// Answers every client.
    KubeApiserver,
    /// Service accounts, ownership, deletion of namespaces.
    KubeControllerManager,
    /// Gives pods their node.
    KubeScheduler,
    /// Enforces `NetworkPolicy`; without it the network enforces none.
    Netpol,
    /// Runs the pods.
    Kubelet,
    /// Carries the traffic of Services.
    KubeProxy,
}

impl Component {
    /// What people, logs and scripts call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Netpol => "netpol",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
        }
    }
}

/// How a component is made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signalled {
    /// SIGTERM, and SIGKILL once patience is over.
    Asked,
    /// SIGKILL.
    Killed,
}

impl Signalled {
    /// What a person's flag means.
    pub(crate) fn by(kill: bool) -> Self {
        if kill { Self::Killed } else { Self::Asked }
    }

    /// The script's verb.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Asked => "stop",
            Self::Killed => "kill",
        }
    }
}

/// Whether a component runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct State {
    component: String,
    #[serde(rename = "state")]
    word: String,
    process: Option<u32>,
}

impl State {
    /// Reads a line of the script: `kubelet running 4711`, or `kubelet stopped`.
    pub(crate) fn read(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (component, word, process) = match words[..] {
            [component, word @ "running", process] => (component, word, Some(process)),
            [component, word @ "stopped"] => (component, word, None),
            _ => bail!("not the state of a component: {line:?}"),
        };
        Ok(Self {
            component: component.to_owned(),
            word: word.to_owned(),
            process: process
                .map(str::parse)
                .transpose()
                .context("not a process number")?,
        })
    }

    /// Whether it runs.
    pub(crate) fn runs(&self) -> bool {
        self.process.is_some()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            component, word, ..
        } = self;
        match self.process {
            Some(process) => write!(f, "  ✓ {component:<24} {word}   process {process}"),
            None => write!(f, "  ✗ {component:<24} {word}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_states_are_read_and_told() {
        let running = State::read("kubelet running 4711").unwrap();
        let stopped = State::read("etcd stopped").unwrap();
        assert!(running.runs() && !stopped.runs());
        assert_eq!(
            serde_json::to_string(&running).unwrap(),
            r#"{"component":"kubelet","state":"running","process":4711}"#
        );
        assert!(stopped.to_string().contains("etcd"));
        assert!(State::read("kubelet running").is_err());
    }

    #[test]
    fn the_names_are_those_that_a_person_types_and_the_scripts_know() {
        let scripts = include_str!("../../../../tests/cluster/components.sh");
        let list = scripts.split("components=\"").nth(1).unwrap();
        let known: Vec<&str> = list.split('"').next().unwrap().split(' ').collect();
        let typed: Vec<String> = Component::value_variants()
            .iter()
            .map(|it| it.to_possible_value().unwrap().get_name().to_owned())
            .collect();
        let named: Vec<&str> = Component::value_variants()
            .iter()
            .map(|it| it.name())
            .collect();
        assert_eq!(typed, known);
        assert_eq!(named, known);
    }
}
