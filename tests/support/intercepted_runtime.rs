//! A runtime between the workers and the real one, with something that stands at its calls.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use execution_environment::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, EnvironmentSpec,
    ExamDefinition, IsolationReport, Listed, Observation, Observed, Purpose, RuntimeError,
    RuntimeFinding, RuntimeKind, RuntimeName, RuntimeUid,
};
use serde_json::Value;
use session_identity::InstallId;

/// A call that an [`Intercept`] stands at. Hints and checks go through: no crew of these stories holds by
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Makes an environment.
    Create,
    /// Looks at one.
    Observe,
    /// Proves its isolation.
    Verify,
    /// Takes its evidence.
    Snapshot,
    /// Reads its log.
    Log,
    /// Deletes it.
    Destroy,
    /// Deletes it without grace.
    DestroyByForce,
    /// Lists all.
    List,
    /// Enters one.
    Attach,
}

impl Call {
    /// What errors call it.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Observe => "observe",
            Self::Verify => "verify",
            Self::Snapshot => "snapshot",
            Self::Log => "log",
            Self::Destroy => "destroy",
            Self::DestroyByForce => "destroy_by_force",
            Self::List => "list",
            Self::Attach => "attach",
        }
    }
}

/// What a runtime answers to a call.
pub type Answer<T> = Result<T, RuntimeError>;

/// Stands at the calls; what it does not change goes through as it is.
pub trait Intercept: Debug + Send + Sync + 'static {
    /// Stands around a call: `real` is what happens without it, once it is awaited.
    fn around<T: Send>(
        &self,
        _call: Call,
        real: impl Future<Output = Answer<T>> + Send,
    ) -> impl Future<Output = Answer<T>> + Send {
        real
    }

    /// Changes what a look has seen.
    fn change_seen(&self, _seen: &mut Observed) {}

    /// Tells whether an environment stays when it is deleted with grace.
    fn keeps_what_is_deleted(&self) -> bool {
        false
    }
}

/// The real runtime, but for what stands at its calls.
#[derive(Debug)]
pub struct InterceptedRuntime<I> {
    real: Arc<dyn EnvironmentRuntime>,
    pub(crate) intercept: I,
}

impl<I: Intercept> InterceptedRuntime<I> {
    pub(crate) fn with(real: Arc<dyn EnvironmentRuntime>, intercept: I) -> Arc<Self> {
        Arc::new(Self { real, intercept })
    }

    async fn look(&self, name: &RuntimeName) -> Answer<Observation> {
        let mut seen = self.real.observe(name).await?;
        if let Observation::Present(found) = &mut seen {
            self.intercept.change_seen(found);
        }
        Ok(seen)
    }

    async fn delete(&self, name: &RuntimeName, uid: Option<&RuntimeUid>) -> Answer<Destroyed> {
        if self.intercept.keeps_what_is_deleted()
            && let Observation::Present(_) = self.real.observe(name).await?
        {
            return Ok(Destroyed::StillThere);
        }
        self.real.destroy(name, uid).await
    }
}

#[async_trait]
impl<I: Intercept> EnvironmentRuntime for InterceptedRuntime<I> {
    fn kind(&self) -> RuntimeKind {
        self.real.kind()
    }

    async fn check(&self, purpose: Purpose) -> Vec<RuntimeFinding> {
        self.real.check(purpose).await
    }

    async fn check_exam(&self, exam: &ExamDefinition) -> Vec<RuntimeFinding> {
        self.real.check_exam(exam).await
    }

    async fn create(&self, spec: &EnvironmentSpec) -> Answer<Created> {
        let real = self.real.create(spec);
        self.intercept.around(Call::Create, real).await
    }

    async fn observe(&self, name: &RuntimeName) -> Answer<Observation> {
        let real = self.look(name);
        self.intercept.around(Call::Observe, real).await
    }

    async fn wait_for_change(&self, name: &RuntimeName, at_most: Duration) {
        self.real.wait_for_change(name, at_most).await;
    }

    async fn verify(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        exam: &ExamDefinition,
    ) -> Answer<IsolationReport> {
        let real = self.real.verify(name, uid, exam);
        self.intercept.around(Call::Verify, real).await
    }

    async fn snapshot(&self, name: &RuntimeName, uid: &RuntimeUid) -> Answer<Value> {
        let real = self.real.snapshot(name, uid);
        self.intercept.around(Call::Snapshot, real).await
    }

    async fn log(&self, name: &RuntimeName, uid: &RuntimeUid, lines: u32) -> Answer<String> {
        let real = self.real.log(name, uid, lines);
        self.intercept.around(Call::Log, real).await
    }

    async fn destroy(&self, name: &RuntimeName, uid: Option<&RuntimeUid>) -> Answer<Destroyed> {
        let real = self.delete(name, uid);
        self.intercept.around(Call::Destroy, real).await
    }

    async fn destroy_by_force(&self, name: &RuntimeName, uid: &RuntimeUid) -> Answer<Destroyed> {
        let real = self.real.destroy_by_force(name, uid);
        self.intercept.around(Call::DestroyByForce, real).await
    }

    async fn list(&self, install_id: InstallId) -> Answer<Vec<Listed>> {
        let real = self.real.list(install_id);
        self.intercept.around(Call::List, real).await
    }

    async fn attach(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        request: &AttachRequest,
    ) -> Answer<AttachStreams> {
        let real = self.real.attach(name, uid, request);
        self.intercept.around(Call::Attach, real).await
    }
}
