//! The id and trace of the request that is being answered.

use telemetry::TraceParent;
use uuid::Uuid;

/// What is known of a request before anything of it is believed.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    /// Minted here; what a caller sends under that name is not believed.
    pub(crate) request_id: String,
    /// The caller's trace, continued, or a new one.
    pub(crate) trace: TraceParent,
}

tokio::task_local! {
    static CURRENT: RequestContext;
}

impl RequestContext {
    /// Begins the context of a request that came with this `traceparent`, if any.
    pub(crate) fn begin(traceparent: Option<&str>) -> Self {
        let trace = traceparent.and_then(|text| TraceParent::parse(text).ok());
        Self {
            request_id: Uuid::now_v7().simple().to_string(),
            trace: trace.map_or_else(TraceParent::new_root, |trace| trace.child()),
        }
    }

    /// Runs a future inside this context.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}

/// Returns the id of the request that is being answered; empty outside of one.
pub(crate) fn request_id() -> String {
    CURRENT
        .try_with(|current| current.request_id.clone())
        .unwrap_or_default()
}

/// Returns the trace of the request that is being answered, as jobs carry it.
pub(crate) fn trace() -> Option<String> {
    CURRENT.try_with(|current| current.trace.to_string()).ok()
}
