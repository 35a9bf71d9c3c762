//! Which suites need a cluster: those behind the features `cluster` and `test-bed`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::shell;
use crate::workspace::Workspace;

/// A feature that adds suites, and that a package has for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// They need a cluster, whoever's.
    Cluster,
    /// They stop parts of the cluster, so they need one of our own.
    TestBed,
}

impl Feature {
    /// All there are.
    pub(crate) const ALL: &[Self] = &[Self::Cluster, Self::TestBed];

    fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::TestBed => "test-bed",
        }
    }
}

/// The packages that a run of Cargo takes, as far as suites on a cluster matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suites(Vec<Package>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Package {
    id: String,
    name: String,
    features: BTreeMap<String, Vec<String>>,
    targets: Vec<Target>,
}

/// Something that Cargo builds of a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Target {
    name: String,
    kind: Vec<String>,
    /// Whether it has tests that Cargo runs.
    test: bool,
    #[serde(default, rename = "required-features")]
    required: Vec<String>,
}

impl Target {
    /// Its name, which targets of other kinds and packages may have too.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a test program of its own.
    pub(crate) fn is_test(&self) -> bool {
        self.kind.iter().any(|kind| kind == "test")
    }

    /// Whether it is a program.
    pub(crate) fn is_binary(&self) -> bool {
        self.kind.iter().any(|kind| kind == "bin")
    }

    /// Whether Cargo takes it by the same name.
    pub(crate) fn is_named_like(&self, other: &Self) -> bool {
        (&self.name, &self.kind) == (&other.name, &other.kind)
    }

    /// Whether it is behind a feature that needs a cluster.
    pub(crate) fn needs_a_cluster(&self) -> bool {
        Feature::ALL.iter().any(|feature| self.is_behind(*feature))
    }

    fn is_behind(&self, feature: Feature) -> bool {
        self.required.iter().any(|name| name == feature.name())
    }

    fn is_there(&self, features: &[Feature]) -> bool {
        let absent = |it: &&Feature| !features.contains(it);
        !Feature::ALL
            .iter()
            .filter(absent)
            .any(|it| self.is_behind(*it))
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_default_members: Vec<String>,
}

impl Suites {
    /// Finds those of the packages that `cargo test` with these arguments takes; without any it
    /// is run on the whole workspace.
    pub(crate) fn taken_by(workspace: &Workspace, arguments: &[String]) -> Result<Self> {
        let output = shell::run_quietly(workspace.cargo().args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        Self::read(&output.stdout, arguments)
    }

    /// The same, of what `cargo metadata` said.
    pub(crate) fn read(said: &[u8], arguments: &[String]) -> Result<Self> {
        let metadata = serde_json::from_slice(said).context("cargo metadata answered nonsense")?;
        Ok(Self::choose(metadata, arguments))
    }

    fn choose(metadata: Metadata, arguments: &[String]) -> Self {
        let named = named_packages(arguments);
        let whole = arguments.is_empty() || arguments.iter().any(|it| it == "--workspace");
        let defaults = metadata.workspace_default_members;
        let taken = |package: &Package| {
            whole
                || named.contains(&package.name.as_str())
                || named.is_empty() && defaults.contains(&package.id)
        };
        Self(metadata.packages.into_iter().filter(taken).collect())
    }

    /// Whether any suite needs a cluster.
    pub(crate) fn need_a_cluster(&self) -> bool {
        !self
            .features(&[Feature::Cluster, Feature::TestBed])
            .is_empty()
    }

    /// Cargo's arguments that add the suites behind these features.
    pub(crate) fn features(&self, features: &[Feature]) -> Vec<String> {
        let has = |package: &Package| {
            let there = features
                .iter()
                .filter(|it| package.features.contains_key(it.name()));
            there
                .map(|it| format!("--features={}/{}", package.name, it.name()))
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(has).collect()
    }

    /// All targets.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.0.iter().flat_map(|package| &package.targets)
    }

    /// The targets whose tests are run when these features are there.
    pub(crate) fn tested(&self, features: &[Feature]) -> impl Iterator<Item = &Target> {
        self.targets().filter(|it| it.test && it.is_there(features))
    }

    /// How many suites stay out when only these features are there.
    pub(crate) fn left_out(&self, features: &[Feature]) -> u64 {
        let tests = self.targets().filter(|it| it.is_test());
        tests.filter(|it| !it.is_there(features)).count() as u64
    }
}

/// The values of `-p` and `--package`, up to what is for the tests themselves.
fn named_packages(arguments: &[String]) -> Vec<&str> {
    let mut named = Vec::new();
    let mut words = arguments
        .iter()
        .map(String::as_str)
        .take_while(|it| *it != "--");
    while let Some(word) = words.next() {
        if word == "-p" || word == "--package" {
            named.extend(words.next());
        } else if let Some(name) = word.strip_prefix("--package=").or(word.strip_prefix("-p")) {
            named.push(name);
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let text = r#"{
            "packages": [
                {"id": "a 1", "name": "a", "features": {}, "targets": [
                    {"name": "t", "test": true, "kind": ["test"]}]},
                {"id": "b 1", "name": "b", "features": {"cluster": []}, "targets": [
                    {"name": "b", "test": true, "kind": ["lib"]},
                    {"name": "u", "test": true, "kind": ["test"], "required-features": ["cluster"]}]},
                {"id": "c 1", "name": "c", "features": {"cluster": [], "test-bed": []}, "targets": [
                    {"name": "v", "test": true, "kind": ["test"], "required-features": ["cluster"]},
                    {"name": "w", "test": true, "kind": ["test"], "required-features": ["test-bed"]}]}
            ],
            "workspace_default_members": ["a 1"]
        }"#;
        serde_json::from_str(text).unwrap()
    }

    fn of(arguments: &[&str]) -> Suites {
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        Suites::choose(metadata(), &arguments)
    }

    #[test]
    fn only_packages_that_have_a_feature_are_given_it() {
        let all = of(&[]);
        assert_eq!(
            all.features(&[Feature::Cluster]),
            ["--features=b/cluster", "--features=c/cluster"]
        );
        assert_eq!(all.features(&[Feature::TestBed]), ["--features=c/test-bed"]);
        assert!(all.features(&[]).is_empty());
    }

    #[test]
    fn suites_without_their_cluster_are_counted() {
        let all = of(&[]);
        assert_eq!(all.left_out(&[]), 3);
        assert_eq!(all.left_out(&[Feature::Cluster]), 1);
        assert_eq!(all.left_out(&[Feature::Cluster, Feature::TestBed]), 0);
    }

    #[test]
    fn a_part_of_the_workspace_needs_a_cluster_only_if_its_suites_do() {
        assert!(!of(&["-p", "a", "some_test"]).need_a_cluster());
        assert!(!of(&["some_test", "--", "-p", "b"]).need_a_cluster());
        assert!(of(&["-p", "a", "--package=b"]).need_a_cluster());
        assert!(of(&["--workspace"]).need_a_cluster());
    }
}
