//! What the runtime says about the network around an environment.

use serde::{Deserialize, Serialize};

/// Describes the network a runtime gave to an environment.
///
/// Shape: `{"kind": "none"}` or `{"kind": "filtered", "must_not_answer": […]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AdmittedNetwork {
    /// Nothing but loopback may exist. Also what evidence means that does not tell.
    #[default]
    None,
    /// Other interfaces may exist; rules hold off all but the declared destinations.
    Filtered {
        /// What an environment without those rules would reach, each as `IP:PORT`: all of it must
        /// have been tried.
        must_not_answer: Vec<String>,
    },
}
