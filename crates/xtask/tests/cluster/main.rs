//! What `cargo xtask kube` promises, on a cluster in a network namespace of its own: so it meets
//! neither the ports nor the tables of one that runs beside it.

mod bed;
mod network;
mod traces;

use bed::Bed;

#[test]
fn a_cluster_comes_up_once_and_leaves_no_trace() {
    let bed = Bed::new();
    assert!(bed.xtask(&["up"]).contains("node Ready"));
    assert!(bed.xtask(&["up"]).contains("runs already"));
    assert_eq!(bed.running().len(), 8);
    bed.run_pod();
    assert!(bed.traces().len() > 3, "the search finds what is there");
    bed.xtask(&["down"]);
    assert_eq!(bed.traces(), Vec::<String>::new());
    // With nothing to end, there is nothing to complain about.
    bed.xtask(&["down"]);
}

#[test]
fn a_killed_cluster_is_cleared_by_the_next_up_and_by_down() {
    let bed = Bed::new();
    bed.xtask(&["up"]);
    bed.run_pod();
    bed::kill_everything();
    assert!(bed.running().is_empty());
    assert!(bed.xtask(&["up"]).contains("node Ready"));
    assert_eq!(bed.pods(), "", "it is a new cluster");
    bed.run_pod();
    bed::kill_everything();
    bed.xtask(&["down"]);
    assert_eq!(bed.traces(), Vec::<String>::new());
}

#[test]
fn a_component_is_stopped_and_started_while_pods_live_on() {
    let bed = Bed::new();
    bed.xtask(&["up"]);
    bed.run_pod();
    let before = bed.pods();
    for component in ["kubelet", "containerd"] {
        bed.xtask(&["stop", component]);
        assert!(!bed.running().iter().any(|it| it == component));
        bed.xtask(&["start", component]);
        assert!(bed.running().iter().any(|it| it == component));
    }
    for component in ["kube-apiserver", "etcd"] {
        bed.xtask(&["restart", "--kill", component]);
    }
    assert_eq!(bed.running().len(), 8);
    assert_eq!(bed.pods(), before, "the same pod, and not started again");
}
