//! What is around an environment, and must stay out of its reach.

use crate::runtime::TestRuntime;
use crate::{Candidate, TestSystem};

/// Metadata services of clouds.
const METADATA: &str = "169.254.169.254/80";

/// Addresses as bash writes them, `IP/PORT`.
#[derive(Debug)]
pub(super) struct Surroundings {
    links: usize,
    everywhere: Vec<String>,
    /// Of each desk; none where environments have no address.
    addresses: Vec<String>,
}

impl Surroundings {
    pub(super) async fn of(system: &TestSystem, candidates: &[Candidate]) -> Self {
        match &system.runtime {
            TestRuntime::Engine(_) => Self {
                links: 0,
                // The bridge of Podman, by habit of machines that have one.
                everywhere: [METADATA, "10.88.0.1/80", "10.88.0.1/5432"]
                    .map(str::to_owned)
                    .to_vec(),
                addresses: Vec::new(),
            },
            TestRuntime::Cluster(cluster) => {
                let api = cluster.api_server().await;
                let node = api.ip();
                let database = cluster.database_as_seen_by_pods(&system.database.url).await;
                let mut addresses = Vec::new();
                for candidate in candidates {
                    addresses.push(cluster.address_of(&candidate.session_id).await);
                }
                Self {
                    links: 1,
                    everywhere: vec![
                        METADATA.to_owned(),
                        format!("{node}/{}", api.port()),
                        format!("{}/443", cluster.api_service().await),
                        format!("{node}/10250"),
                        database.replace(':', "/"),
                    ],
                    addresses,
                }
            }
        }
    }

    /// How many links a desk has beside loopback, and what it must not reach: the machine, and
    /// three neighbours, of which one or two lie on the addresses next to its own.
    pub(super) fn of_desk(&self, number: usize) -> (usize, String) {
        let count = self.addresses.len();
        let neighbours = [1, 2, count / 2].map(|distance| (number + distance) % count.max(1));
        let neighbours = neighbours
            .iter()
            .filter_map(|neighbour| self.addresses.get(*neighbour))
            .map(|address| format!("{address}/22"));
        let places: Vec<String> = self.everywhere.iter().cloned().chain(neighbours).collect();
        (self.links, places.join(" "))
    }
}
