//! The client of the API server: what went through it, and what the cluster's clock says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use http::{HeaderMap, Request, Response, header};
use kube::client::{Body, ClientBuilder, DynBody};
use tower::util::{MapRequestLayer, MapResponseLayer};

use super::KubernetesConfigError;

/// Counts requests to the API server, whichever client of a runtime makes them, and keeps the
/// time by its answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    requests: AtomicU64,
    /// Seconds since 1970 by the last answer; 0 before the first.
    answered_at: AtomicI64,
}

impl Requests {
    /// Counts one more. The exec leg, whose client is its own, calls this too.
    pub(super) fn count(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn total(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// When the cluster last answered, by its own clock. What it writes into objects is compared
    /// with this, so that a process whose clock is wrong concludes nothing wrong.
    pub(super) fn cluster_time(&self) -> Option<DateTime<Utc>> {
        let seconds = self.0.answered_at.load(Ordering::Relaxed);
        DateTime::from_timestamp(seconds, 0).filter(|_| seconds > 0)
    }

    fn note_time(&self, headers: &HeaderMap) {
        let date = headers
            .get(header::DATE)
            .and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
            let seconds = date.timestamp();
            self.0.answered_at.store(seconds, Ordering::Relaxed);
        }
    }
}

/// Makes a client that counts. Contacts nothing.
pub(super) fn client(
    config: &kube::Config,
    requests: &Requests,
) -> Result<kube::Client, KubernetesConfigError> {
    let builder = ClientBuilder::try_from(config.clone()).map_err(|source| {
        let source = Box::new(source);
        KubernetesConfigError::Client { source }
    })?;
    let (counter, clock) = (requests.clone(), requests.clone());
    let counted = MapRequestLayer::new(move |request: Request<Body>| {
        counter.count();
        request
    });
    let timed = MapResponseLayer::new(move |answer: Response<Box<DynBody>>| {
        clock.note_time(answer.headers());
        answer
    });
    Ok(builder.with_layer(&counted).with_layer(&timed).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_s_time_is_that_of_its_last_answer() {
        let requests = Requests::default();
        assert_eq!(requests.cluster_time(), None);
        let mut headers = HeaderMap::new();
        let date = "Tue, 24 Nov 2026 04:38:17 GMT";
        headers.insert(header::DATE, date.parse().unwrap());
        requests.note_time(&headers);
        let time = requests.cluster_time().unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-24T04:38:17+00:00");
        headers.insert(header::DATE, "yesterday".parse().unwrap());
        requests.note_time(&headers);
        assert_eq!(requests.cluster_time(), Some(time));
    }
}
