//! Ways to a shell: through the gateway, past it, and by what an administrator has at hand.

mod direct;
mod kubectl;

use std::time::Duration;

use async_trait::async_trait;
use system_tests::runtime::TestRuntime;
use system_tests::terminal::Terminal;
use system_tests::wait::SOON;
use system_tests::{Candidate, TestSystem};

use self::direct::DirectTerminal;
use self::kubectl::KubectlTerminal;

/// For so much output as is measured.
const PATIENCE: Duration = Duration::from_mins(2);

/// A shell in an environment, by one way.
#[async_trait]
pub(crate) trait Line: Send {
    /// Types text as it is.
    async fn type_text(&mut self, text: &str);

    /// Waits until `text` is printed, after what earlier calls found.
    async fn expect(&mut self, text: &str);

    /// Waits until so many bytes more are printed, and passes them by.
    async fn pass_by(&mut self, count: usize);

    /// Does nothing for a while but what the way itself needs.
    async fn rest(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A way with its name in the table. All are beside the gateway's, which comes first.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) line: Box<dyn Line>,
}

impl Named {
    fn new(name: &'static str, line: impl Line + 'static) -> Self {
        Self {
            name,
            line: Box::new(line),
        }
    }
}

/// How many ways there are to environments of a runtime.
pub(crate) fn count(runtime: &TestRuntime) -> usize {
    match runtime {
        TestRuntime::Engine(_) => 2,
        TestRuntime::Cluster(_) => 3,
    }
}

/// Opens every way there is, each to the shell of another session.
pub(crate) async fn open(system: &TestSystem, candidates: &[Candidate]) -> Vec<Named> {
    let gateway = system.attach(&candidates[0]).await;
    let direct = DirectTerminal::attach(system, &candidates[1]).await;
    let mut lines = vec![Named::new("the gateway", gateway)];
    match &system.runtime {
        TestRuntime::Engine(_) => lines.push(Named::new("the engine's exec of the keeper", direct)),
        TestRuntime::Cluster(cluster) => {
            let by_hand = KubectlTerminal::open(cluster, &candidates[2]).await;
            lines.push(Named::new("kubectl exec -it", by_hand));
            lines.push(Named::new("the cluster's exec of the keeper", direct));
        }
    }
    lines
}

#[async_trait]
impl Line for Terminal {
    async fn type_text(&mut self, text: &str) {
        Self::type_text(self, text).await;
    }

    async fn expect(&mut self, text: &str) {
        self.expect_within(text, SOON).await;
    }

    async fn pass_by(&mut self, count: usize) {
        Self::pass_by(self, count, PATIENCE).await;
    }

    async fn rest(&mut self, time: Duration) {
        self.read_for(time).await;
    }
}

/// Output that no `expect` has found yet.
#[derive(Default)]
struct Fresh(Vec<u8>);

impl Fresh {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Drops everything to the end of `text`, if it is there.
    fn found(&mut self, text: &str) -> bool {
        let mut windows = self.0.windows(text.len());
        let found = windows.position(|window| window == text.as_bytes());
        if let Some(at) = found {
            self.0.drain(..at + text.len());
        }
        found.is_some()
    }

    /// Drops as many bytes as there are, and returns how many are still wanted.
    fn pass_by(&mut self, wanted: usize) -> usize {
        let passed = wanted.min(self.0.len());
        self.0.drain(..passed);
        wanted - passed
    }
}
