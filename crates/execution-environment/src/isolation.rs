//! The proof of isolation: what was found inside and admitted outside, against the declaration.

mod judge;
mod network;
mod protection;
mod waiver;

use std::fmt::{self, Display};

use carrel_keeper::VerifyReport;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use judge::{DESCRIPTORS, PROCESSES_PER_USER, judge};
pub use network::AdmittedNetwork;
pub use protection::Protection;
pub use waiver::needed_waiver;

use crate::{ExamDefinition, IsolationWaiver};

/// Holds what one verification found, from inside and from the runtime.
///
/// Shape: `{"inside": …, "admitted": …}`, stored as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationReport {
    /// What `keeper verify` found under the candidate's own security context.
    pub inside: VerifyReport,
    /// What the runtime says it applied, read back from it after creation.
    pub admitted: Admitted,
}

/// Describes what a runtime applied, in words that fit any runtime.
///
/// Only what cannot be seen from inside, or is worth seeing from both sides. Each runtime fills it
/// from its own object as that object is, not as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Whether it runs with the host's privileges.
    pub privileged: bool,
    /// Namespaces shared with the host, such as `pid`.
    pub shared_namespaces: Vec<String>,
    /// The mount targets that are neither the keeper's nor a scratch volume.
    pub foreign_mounts: Vec<String>,
    /// Whether the keeper's file cannot be written through its mount.
    pub keeper_read_only: bool,
    /// Host devices that were added.
    pub devices: Vec<String>,
    /// The network it was given.
    #[serde(default)]
    pub network: AdmittedNetwork,
    /// Bytes of memory and swap together; `None` when not limited, or only known inside.
    pub memory_and_swap_bytes: Option<u64>,
    /// Open files a process may have, hard; `None` when the runtime sets none.
    pub open_files: Option<u64>,
    /// Processes a user may have, hard; `None` when the runtime sets none.
    pub processes: Option<u64>,
    /// The largest limit of processes that nodes may have in place of a smaller one an exam
    /// declares; `None`: the exam's.
    #[serde(default)]
    pub node_pids: Option<u64>,
    /// Whether the runtime would start it again after it ended.
    pub restarts: bool,
    /// Whether the runtime bounds what it keeps of the output; `None` when it does not tell, as
    /// Podman's Docker-compatible API does not.
    pub log_bounded: Option<bool>,
}

impl Admitted {
    /// Takes from an earlier answer what no object in a runtime tells: the settings of whoever made
    /// the environment, which may not be those of whoever looks at it again.
    ///
    /// These are `node_pids`, and what must not answer where the network is filtered. Whether it is
    /// filtered, and all the rest, stays as it is now.
    #[must_use]
    pub fn with_settings_of(mut self, made: &Self) -> Self {
        self.node_pids = made.node_pids;
        if let AdmittedNetwork::Filtered { must_not_answer } = &mut self.network
            && let AdmittedNetwork::Filtered {
                must_not_answer: asked,
            } = &made.network
        {
            must_not_answer.clone_from(asked);
        }
        self
    }
}

/// Names one protection that is missing, or not proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationGap {
    /// Which protection.
    pub protection: Protection,
    /// What was declared.
    pub expected: String,
    /// What was found instead.
    pub found: String,
}

impl Display for IsolationGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protection, expected, found) = (self.protection, &self.expected, &self.found);
        write!(f, "{protection}: declared {expected}, found {found}")
    }
}

impl IsolationReport {
    /// Writes the report, the declaration it was judged by and the verdict as one document.
    ///
    /// Shape: `{"inside", "admitted", "declared", "gaps", "waiver"}`; the `evidence` of an
    /// environment. `waiver` is what lets it be used in spite of its gaps, `null` without.
    pub fn evidence(&self, exam: &ExamDefinition, waiver: Option<&IsolationWaiver>) -> Value {
        json!({
            "inside": self.inside,
            "admitted": self.admitted,
            "declared": exam,
            "gaps": judge(self, exam),
            "waiver": waiver,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(addresses: &[&str]) -> AdmittedNetwork {
        AdmittedNetwork::Filtered {
            must_not_answer: addresses.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn settings_are_those_of_whoever_made_it_and_the_rest_is_as_it_is_now() {
        let made = Admitted {
            node_pids: Some(1024),
            network: filtered(&["10.0.0.1:443"]),
            ..Admitted::default()
        };
        let now = Admitted {
            privileged: true,
            network: filtered(&["10.0.0.2:6443"]),
            ..Admitted::default()
        };
        let both = now.with_settings_of(&made);
        assert_eq!(both.node_pids, Some(1024));
        assert_eq!(both.network, made.network);
        assert!(both.privileged, "it was not when it was made");
    }

    #[test]
    fn a_network_is_never_taken_for_what_it_was() {
        let made = Admitted {
            network: filtered(&["10.0.0.1:443"]),
            ..Admitted::default()
        };
        let now = Admitted::default().with_settings_of(&made);
        assert_eq!(now.network, AdmittedNetwork::None);
    }
}
