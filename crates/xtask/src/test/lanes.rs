//! Which suites run beside each other, and which may not.
//!
//! Suites wait most of the time, so that lanes of them run at once, in each lane one suite after the
//! other. What they share keeps them apart, or is shared in a way that keeps them from each other:
//!
//! - **The cluster** has one lane. `kubernetes` stops its parts, and `release` installs the chart at an
//!   address that is fixed.
//! - **A PostgreSQL** has one lane, and each lane its own. `#[sqlx::test]` names a database by the path of
//!   its test, which suites of two packages may have in common, and drops one of that name first; and
//!   tests read what a server says as a whole, such as its connections. Where a server is given, there is
//!   one for all, and so the lanes run one after the other.
//! - **The engine** is everybody's. What is made there bears the install id of one test's database or the
//!   process id of one suite, is found by nothing else, and no test ends the engine.
//! - **Ports** that must be known beforehand come from a block that one suite has claimed
//!   (`system_tests::ports`).
//! - **The processors** are a story's that fills them, and no other story runs meanwhile, whatever suite
//!   it is of (`system_tests::Weight::Machine`); nor does the suite that starts a second cluster. Suites
//!   without stories, such as `attach` and `queue`, and the runners besides Cargo do run.

use std::collections::{BTreeMap, BTreeSet};

use crate::suites::{Feature, Suites, Target};

/// Suites that run one after the other, beside those of the other lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Whatever needs the cluster.
    Cluster,
    /// Those with whole systems on the engine; also the terminal's, and the runners besides Cargo: so
    /// the lanes are of about the same length.
    Systems,
    /// All other suites, and the examples in the documentation.
    Rest,
}

/// Test targets of [`Lane::Systems`], by name.
const SYSTEMS: &[&str] = &["attach", "failure", "integration"];

/// Each lane's runs of Cargo, as the arguments that choose its suites. Lanes without any are left out.
pub(super) fn chosen(suites: &Suites, features: &[Feature]) -> BTreeMap<Lane, Vec<Vec<String>>> {
    let mut named: BTreeMap<Lane, BTreeSet<String>> = BTreeMap::new();
    for target in suites.tested(features) {
        let choice = named.entry(lane_of(suites, target)).or_default();
        choice.insert(choosing(target));
    }
    let once = |(lane, choice): (_, BTreeSet<_>)| (lane, vec![Vec::from_iter(choice)]);
    let mut lanes: BTreeMap<Lane, Vec<Vec<String>>> = named.into_iter().map(once).collect();
    // Cargo runs these with nothing else.
    let rest = lanes.entry(Lane::Rest).or_default();
    rest.push(vec!["--doc".to_owned()]);
    lanes
}

/// Cargo chooses by name, from all packages, so that targets of one name are in one lane.
fn lane_of(suites: &Suites, target: &Target) -> Lane {
    let namesakes = || suites.targets().filter(|it| it.is_named_like(target));
    if namesakes().any(Target::needs_a_cluster) {
        Lane::Cluster
    } else if target.is_test() && SYSTEMS.contains(&target.name()) {
        Lane::Systems
    } else {
        Lane::Rest
    }
}

fn choosing(target: &Target) -> String {
    if target.is_test() {
        format!("--test={}", target.name())
    } else if target.is_binary() {
        format!("--bin={}", target.name())
    } else {
        "--lib".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;
    use std::process::Command;

    /// Those of this very workspace.
    fn ours() -> Suites {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let output = shell::run_quietly(Command::new("cargo").args(arguments)).unwrap();
        Suites::read(&output.stdout, &[]).unwrap()
    }

    #[test]
    fn every_suite_is_in_one_lane() {
        let suites = ours();
        let lanes = chosen(&suites, Feature::ALL);
        for target in suites.tested(Feature::ALL) {
            let choice = choosing(target);
            let runs = lanes.values().flatten().flatten();
            assert_eq!(runs.filter(|it| **it == choice).count(), 1, "{choice}");
        }
    }

    #[test]
    fn what_needs_the_cluster_is_in_its_lane_and_nothing_else() {
        let suites = ours();
        let lanes = chosen(&suites, Feature::ALL);
        let on_cluster: BTreeSet<String> = suites
            .targets()
            .filter(|it| it.needs_a_cluster())
            .map(choosing)
            .collect();
        assert!(on_cluster.contains("--test=release"), "{on_cluster:?}");
        let [run] = &lanes[&Lane::Cluster][..] else {
            panic!("one run of Cargo: {lanes:?}")
        };
        assert_eq!(run[..], Vec::from_iter(on_cluster));
        assert!(!chosen(&suites, &[]).contains_key(&Lane::Cluster));
    }

    #[test]
    fn the_systems_that_are_named_are_there() {
        let lanes = chosen(&ours(), &[]);
        let expected = SYSTEMS.iter().map(|name| format!("--test={name}"));
        assert_eq!(lanes[&Lane::Systems], [expected.collect::<Vec<_>>()]);
    }
}
