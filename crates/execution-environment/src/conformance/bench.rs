//! What a check works with.

use std::sync::Arc;
use std::time::Duration;

use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

use crate::{
    EnvironmentRuntime, EnvironmentSpec, ExamDefinition, Observation, Observed, Phase, RuntimeName,
    RuntimeUid,
};

/// Holds the runtime under test, an exam it can run and an install id of this bench alone.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The runtime under test.
    pub runtime: Arc<dyn EnvironmentRuntime>,
    /// A sound exam whose image is there, whose shell reads commands and echoes.
    pub exam: ExamDefinition,
    /// The install that the bench's environments belong to.
    pub install_id: InstallId,
}

/// A node under load makes an environment within this time.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(100);

impl Bench {
    /// Makes a bench with an install id of its own.
    pub fn new(runtime: Arc<dyn EnvironmentRuntime>, exam: ExamDefinition) -> Self {
        Self {
            runtime,
            exam,
            install_id: InstallId::generate(),
        }
    }

    /// Describes a first attempt of a new session.
    ///
    /// # Panics
    /// Never: the user id is well-formed.
    pub fn spec(&self) -> EnvironmentSpec {
        EnvironmentSpec {
            install_id: self.install_id,
            session_id: ExamSessionId::generate(),
            user_id: UserId::parse("conformance@carrel").expect("the name is well-formed"),
            environment_id: ExecutionEnvironmentId::generate(),
            attempt: 1,
            exam: self.exam.clone(),
            deadline: None,
            avoid: Vec::new(),
        }
    }

    /// Creates an environment and waits until it runs.
    ///
    /// # Panics
    /// When it cannot be created or does not run.
    pub async fn running(&self, spec: &EnvironmentSpec) -> RuntimeUid {
        let created = self.runtime.create(spec).await.expect("create");
        let observed = self
            .until(&created.name, |phase| {
                !matches!(phase, Phase::Pending { .. })
            })
            .await;
        assert_eq!(
            observed.phase,
            Phase::Running,
            "{} does not run",
            created.name
        );
        assert_eq!(observed.uid, created.uid);
        created.uid
    }

    /// Waits until an environment's phase is as wanted, and returns what was seen then.
    ///
    /// # Panics
    /// When it is not within a minute.
    pub async fn until(&self, name: &RuntimeName, wanted: impl Fn(&Phase) -> bool) -> Observed {
        let seen = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Observation::Present(observed) =
                    self.runtime.observe(name).await.expect("observe")
                    && wanted(&observed.phase)
                {
                    return observed;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        seen.await
            .unwrap_or_else(|_| panic!("{name} did not get there in {PATIENCE:?}"))
    }

    /// Destroys whatever the bench made. Called after every check, whatever became of it.
    ///
    /// # Panics
    /// When the runtime refuses.
    pub async fn clear(&self) {
        for left in self.runtime.list(self.install_id).await.expect("list") {
            self.runtime
                .destroy(&left.name, Some(&left.uid))
                .await
                .expect("destroy");
        }
    }
}
