//! What sessions cost that have ended: an idle worker's requests, its sweeps' looks and a reader's
//! answer, before and after there were a thousand.

use std::time::Instant;

use cleanup_ttl::{ExpiryPolicy, any_session, load_known_sessions};
use execution_environment::kubernetes::KubernetesRuntime;
use execution_environment::{EnvironmentRuntime as _, find_not_gone};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use session_identity::Actor;
use session_lifecycle::{
    Advance, Cause, Ending, EndingKind, Expected, Provenance, advance, find_due, find_past_startup,
};
use system_tests::api_proxy::ApiProxy;
use system_tests::kubernetes::Account;
use system_tests::system::read;
use system_tests::wait::until;
use system_tests::{Candidate, TestSystem, exams};

use crate::exam::PATIENCE;
use crate::figures::{Figures, ratio, text};
use crate::report::Report;
use crate::starts;

const ENDED: usize = 1000;
/// Sessions that live meanwhile, so that the lists are not empty.
const LIVE: usize = 5;
/// Requests to the api under way at once.
const AT_ONCE: usize = 8;
/// About a minute: the sweep that asks the cluster comes every 15 s.
const SWEEPS: usize = 4;
const LOOKS: usize = 100;

/// What one database cost.
struct Cost {
    requests: f64,
    bytes: f64,
    list: Figures,
    rows: Figures,
    status: Figures,
}

/// Measures on a system whose worker's requests pass the proxy.
pub(crate) async fn measure(system: &mut TestSystem, report: &mut Report) {
    let mut live = Vec::new();
    for number in 0..LIVE {
        let user = format!("live-{number}");
        let candidate = system.candidate(&user, exams::SAMPLE).await;
        system.await_state(&candidate, "ready", PATIENCE).await;
        live.push(candidate);
    }
    let folder = system.folder();
    let runtime = system
        .runtime
        .cluster()
        .runtime(Account::Worker, folder)
        .await;
    let without = cost(system, &runtime, &live[0]).await;
    add_history(system).await;
    let with = cost(system, &runtime, &live[0]).await;
    report.below(table(&without, &with));
    starts::end(system, &live).await;
}

/// Sessions that ended before a worker saw them, by the functions that end any: asked of the api,
/// the end would wait for a worker, which meanwhile would begin to make a thousand pods.
async fn add_history(system: &mut TestSystem) {
    for worker in &mut system.workers {
        worker.terminate();
    }
    let service = system.service();
    let service = &service;
    let made = stream::iter(0..ENDED).map(|number| async move {
        let wanted = json!({ "user_id": format!("ended-{number}"), "exam": exams::SAMPLE });
        let made = service.post("/v1/sessions", &wanted).await.expect(201);
        read(&made).session_id
    });
    let made: Vec<String> = made.buffer_unordered(AT_ONCE).collect().await;
    for session_id in made {
        end(system, &session_id).await;
    }
    for worker in &mut system.workers {
        worker.start_again();
    }
    system.await_ready().await;
    system.await_no_jobs(PATIENCE).await;
}

async fn end(system: &TestSystem, session_id: &str) {
    let session_id = session_id.parse().expect("it is a session's id");
    let step = Advance::Terminate(Ending {
        kind: EndingKind::OperatorEnded,
        note: None,
    });
    let by = Provenance {
        actor: Actor::System("tests"),
        cause: Cause::new("tests:history"),
        job_id: None,
        trace: None,
    };
    let mut transaction = system.pool().begin().await.expect("the database answers");
    let ended = advance(
        &mut transaction,
        session_id,
        Expected::AnyVersion,
        step,
        &by,
    )
    .await;
    ended.expect("whoever waits may be ended");
    transaction.commit().await.expect("the database answers");
}

async fn cost(system: &TestSystem, runtime: &KubernetesRuntime, reader: &Candidate) -> Cost {
    let proxy = system.api_proxy.as_ref().expect("it was planned so");
    let (requests, bytes) = idle(proxy).await;
    Cost {
        requests,
        bytes,
        list: list(system, runtime).await,
        rows: rows(system).await,
        status: status(system, reader).await,
    }
}

/// Requests and answered bytes a minute, from one sweep's list to a later one's.
async fn idle(proxy: &ApiProxy) -> (f64, f64) {
    await_sweeps(proxy, 1).await;
    let (begun, calls, bytes) = (Instant::now(), proxy.calls().len(), proxy.answered_bytes());
    await_sweeps(proxy, SWEEPS).await;
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let calls = u32::try_from(proxy.calls().len() - calls).expect("a few");
    let bytes = u32::try_from(proxy.answered_bytes() - bytes).expect("not much");
    (f64::from(calls) / minutes, f64::from(bytes) / minutes)
}

async fn await_sweeps(proxy: &ApiProxy, count: usize) {
    let lists = || {
        let calls = proxy.calls();
        calls.iter().filter(|call| call.what == "list pods").count()
    };
    let goal = lists() + count;
    until("the sweep has listed pods", PATIENCE, async || {
        (lists() >= goal).then_some(())
    })
    .await;
}

/// What the runtime's sweep asks of the cluster.
async fn list(system: &TestSystem, runtime: &KubernetesRuntime) -> Figures {
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        let listed = runtime.list(system.database.install_id).await;
        times.push(begun.elapsed());
        assert_eq!(listed.expect("the cluster lists").len(), LIVE);
    }
    Figures::of(times)
}

/// What all three sweeps ask of the database when nothing is to be done.
async fn rows(system: &TestSystem) -> Figures {
    let listed = system.environments().await;
    let listed: Vec<_> = listed.iter().map(|one| one.labels.session_id).collect();
    let batch = ExpiryPolicy::default().batch;
    let mut conn = system.pool().acquire().await.expect("the database answers");
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        let due = find_due(&mut conn, batch).await;
        let stuck = find_past_startup(&mut conn, batch).await;
        let known = load_known_sessions(&mut conn, &listed).await;
        let any = any_session(&mut conn).await;
        let not_gone = find_not_gone(&mut conn, batch).await;
        times.push(begun.elapsed());
        assert!(due.expect("the database answers").is_empty());
        assert!(stuck.expect("the database answers").is_empty());
        assert!(any.expect("the database answers"));
        assert_eq!(known.expect("the database answers").len(), LIVE);
        assert_eq!(not_gone.expect("the database answers").len(), LIVE);
    }
    Figures::of(times)
}

/// A reader's status document.
async fn status(system: &TestSystem, reader: &Candidate) -> Figures {
    let path = format!("/v1/sessions/{}", reader.session_id);
    let http = system.api_as(&reader.login);
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        let answer = http.get(&path).await;
        times.push(begun.elapsed());
        answer.assert_status(200);
    }
    Figures::of(times)
}

fn table(without: &Cost, with: &Cost) -> Vec<String> {
    let head = format!("| {LIVE} live sessions, idle | no history | {ENDED} ended | Ratio |");
    let number = |name: &str, of: fn(&Cost) -> f64| {
        let (without, with) = (of(without), of(with));
        format!(
            "| {name} | {without:.1} | {with:.1} | {:.2} |",
            with / without
        )
    };
    let time = |name: &str, of: fn(&Cost) -> &Figures| {
        let (without, with) = (of(without).percentile(50), of(with).percentile(50));
        let (before, after) = (text(without), text(with));
        let ratio = ratio(with, without, "p50");
        format!("| {name} | {before} | {after} | {ratio} |")
    };
    vec![
        head,
        "|---|---|---|---|".to_owned(),
        number("requests a minute", |cost| cost.requests),
        number("KiB answered a minute", |cost| cost.bytes / 1024.0),
        time("the sweep's list of the cluster", |cost| &cost.list),
        time("the sweeps' looks at rows", |cost| &cost.rows),
        time("the api's status document", |cost| &cost.status),
    ]
}
