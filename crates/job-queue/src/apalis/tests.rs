//! Fault F5 of stock storage: a payload that could not be decoded was an error of the stream, which
//! ended the worker and left what it held in the lurch.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use session_identity::{JobId, WorkerIncarnation};

use super::*;
use crate::{
    Handler, Job, JobContext, JobKind, Outcome, Registry, WorkerConfig,
    claim::{ClaimedJob, WorkerIdentity},
    hold::Holder,
    payload::StoredPayload,
    slots::Next,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counted {
    number: i32,
}

impl Job for Counted {
    const KIND: &'static str = "counted";
    const QUEUE: &'static str = "test";
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(30);
}

struct Count;

#[async_trait]
impl Handler<Counted> for Count {
    async fn run(&self, _: Counted, _: &JobContext) -> Outcome {
        Outcome::Done
    }
}

fn parts() -> Parts {
    let identity = WorkerIdentity {
        incarnation: WorkerIncarnation::generate(),
        name: "w".into(),
    };
    let registry = Registry::new().register::<Counted, _>(Count);
    Parts::new(
        identity,
        registry,
        &WorkerConfig::new("w"),
        &Holder::default(),
    )
}

fn delivery(parts: &Parts, payload: &str) -> Delivery {
    let claimed = ClaimedJob {
        job_id: JobId::generate(),
        run_token: 1,
        kind: Counted::KIND.to_owned(),
        kind_version: 1,
        payload: StoredPayload(payload.to_owned()),
        attempt: 1,
        max_attempts: 3,
        crash_count: 0,
        session_id: None,
        traceparent: None,
        waited: Duration::ZERO,
        queue: "counts".to_owned(),
    };
    let context = JobContext::new(&claimed, JobKind(Counted::KIND), &parts.identity);
    Delivery { claimed, context }
}

/// Delivers a job that cannot be decoded and a good one. Returns how the two ended, and how the worker.
async fn ends<E>(
    admit: fn(Delivery) -> Result<Delivery, E>,
) -> (Vec<&'static str>, Result<(), WorkerError>)
where
    E: std::error::Error + Send + Sync + 'static,
{
    let parts = parts();
    let (deliveries, inbox) = mpsc::channel(2);
    for payload in [r#"{ "number": "no" }"#, r#"{ "number": 1 }"#] {
        deliveries.try_send(delivery(&parts, payload)).unwrap();
    }
    drop(deliveries);
    let ended = run_with("w", inbox, &parts, admit).await;
    let told = match parts.slots.next(&parts.signal, false, true) {
        Next::Go(batch) => batch.ended,
        Next::Linger | Next::Wait => Vec::new(),
    };
    let mut verbs: Vec<_> = told.iter().map(|it| it.outcome.stored.verb).collect();
    verbs.sort_unstable();
    (verbs, ended)
}

#[tokio::test]
async fn decoding_within_the_run_is_what_keeps_a_bad_payload_from_ending_the_worker() {
    let (verbs, ended) = ends(Ok::<_, Infallible>).await;
    assert_eq!(verbs, ["dead", "done"]);
    assert!(ended.is_ok(), "{ended:?}");
    let in_the_stream = |delivery: Delivery| {
        let payload = delivery.claimed.payload.read();
        payload
            .and_then(serde_json::from_value::<Counted>)
            .map(|_| delivery)
    };
    let (verbs, ended) = ends(in_the_stream).await;
    assert!(
        ended.is_err() || verbs.len() < 2,
        "stock's decoding would do: {verbs:?}"
    );
}
