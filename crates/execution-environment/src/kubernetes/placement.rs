//! Where the scheduler puts environments, and with whose right their images are pulled.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::api::core::v1::{
    Affinity, LocalObjectReference, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm,
    PodSpec, PreferredSchedulingTerm, Toleration,
};
use serde::Deserialize;

/// The most that one wish may weigh.
const HEAVIEST: i32 = 100;

/// Says on which nodes environments run and how much they matter, in the words of a pod.
///
/// Shape: `{"nodeSelector": {…}, "tolerations": […], "priorityClassName": "…", "imagePullSecrets":
/// [{"name": "…"}]}`, each optional, as in a pod's `spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Placement {
    /// Labels that a node must have.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints of nodes that do not hold environments off.
    pub tolerations: Option<Vec<Toleration>>,
    /// The `PriorityClass`; without one, whatever matters more may take an environment's place.
    pub priority_class_name: Option<String>,
    /// Secrets of the environments' namespace that open the images' registries.
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
}

impl FromStr for Placement {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Placement {
    /// Puts itself into a pod. Nodes to avoid are only taken when nothing else is free.
    pub(super) fn apply_to(&self, pod: &mut PodSpec, avoid: &[String]) {
        pod.node_selector.clone_from(&self.node_selector);
        pod.tolerations.clone_from(&self.tolerations);
        pod.priority_class_name
            .clone_from(&self.priority_class_name);
        pod.image_pull_secrets.clone_from(&self.image_pull_secrets);
        pod.affinity = (!avoid.is_empty()).then(|| elsewhere(avoid));
    }
}

fn elsewhere(avoid: &[String]) -> Affinity {
    // The field takes one value at a time; all requirements of a term must hold.
    let none_of_these = avoid.iter().map(|node| NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(vec![node.clone()]),
    });
    let preferred = PreferredSchedulingTerm {
        weight: HEAVIEST,
        preference: NodeSelectorTerm {
            match_fields: Some(none_of_these.collect()),
            match_expressions: None,
        },
    };
    Affinity {
        node_affinity: Some(NodeAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![preferred]),
            required_during_scheduling_ignored_during_execution: None,
        }),
        ..Affinity::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placement_is_read_as_pods_have_it_and_ends_up_in_one() {
        let text = r#"{
            "nodeSelector": {"pool": "exams"},
            "tolerations": [{"key": "pool", "operator": "Equal", "value": "exams",
                             "effect": "NoSchedule"}],
            "priorityClassName": "exams",
            "imagePullSecrets": [{"name": "registry"}]
        }"#;
        let placement: Placement = text.parse().unwrap();
        let mut pod = PodSpec::default();
        placement.apply_to(&mut pod, &[]);
        assert_eq!(pod.node_selector.unwrap()["pool"], "exams");
        let toleration = pod.tolerations.unwrap().remove(0);
        assert_eq!(toleration.effect.as_deref(), Some("NoSchedule"));
        assert_eq!(pod.priority_class_name.as_deref(), Some("exams"));
        assert_eq!(pod.image_pull_secrets.unwrap()[0].name, "registry");
    }

    #[test]
    fn nothing_said_changes_nothing_and_nothing_unknown_is_taken() {
        let mut pod = PodSpec::default();
        let nothing: Placement = "{}".parse().unwrap();
        nothing.apply_to(&mut pod, &[]);
        assert_eq!(pod, PodSpec::default());
        let refused = r#"{"nodeName": "a"}"#.parse::<Placement>().unwrap_err();
        assert!(refused.to_string().contains("nodeName"), "{refused}");
    }

    #[test]
    fn nodes_that_failed_before_are_wished_away_and_not_ruled_out() {
        let mut pod = PodSpec::default();
        Placement::default().apply_to(&mut pod, &["node-7", "node-8"].map(str::to_owned));
        let affinity = pod.affinity.unwrap().node_affinity.unwrap();
        assert_eq!(
            affinity.required_during_scheduling_ignored_during_execution,
            None
        );
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution;
        let terms = preferred
            .unwrap()
            .remove(0)
            .preference
            .match_fields
            .unwrap();
        assert!(terms.iter().all(|term| term.operator == "NotIn"));
        let nodes: Vec<_> = terms.into_iter().filter_map(|term| term.values).collect();
        assert_eq!(nodes, [["node-7"], ["node-8"]], "one value each");
    }
}
