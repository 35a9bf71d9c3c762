//! From created to ready: one session after the other, and many at once.

use futures_util::future::join_all;
use system_tests::logins::Login;
use system_tests::runtime::TestRuntime;
use system_tests::{Candidate, TestSystem, exams, stories};

use crate::by_hand::{self, Shape};
use crate::exam::{PATIENCE, slim};
use crate::figures::{Figures, ratio};
use crate::report::Report;

/// Sessions one after the other, each on an idle system.
const SINGLES: usize = 30;
/// The slots of one worker as it comes; what is made by hand is made as many at once.
const SLOTS: usize = 12;

/// Measures the starts of so many sessions at once beside the same made by hand, and lets each of
/// the candidates look for the others.
pub(crate) async fn measure(system: &TestSystem, count: usize, report: &mut Report) {
    // First, since it warms up image, runtime, pools and statements for what follows.
    measure_singles(system, report).await;
    let baseline = measure_by_hand(system, count, report).await;
    let candidates = request_all(system, count).await;
    // One after the other, so that asking takes little of what is measured.
    for candidate in candidates.iter().rev() {
        system.await_state(candidate, "ready", PATIENCE).await;
    }
    let (own, since_first) = times_to_ready(system, &candidates).await;
    let beside = |figures: &Figures| ratio(figures.max(), baseline.max(), "max");
    let name = format!("{count} sessions at once: created → ready");
    report.row(&name, &own, &beside(&own));
    let name = format!("{count} sessions: first created → ready");
    report.row(&name, &since_first, &beside(&since_first));
    stories::fifty_candidates::tell_of(system, candidates).await;
}

/// Makes sessions one after the other; each finds nothing else to do.
async fn measure_singles(system: &TestSystem, report: &mut Report) {
    let mut candidates = Vec::new();
    for number in 0..SINGLES {
        let candidate = system.ready_candidate(&format!("single-{number}")).await;
        end(system, std::slice::from_ref(&candidate)).await;
        candidates.push(candidate);
    }
    let (own, _) = times_to_ready(system, &candidates).await;
    report.row("a session alone: created → ready", &own, "");
    let waits = sqlx::query_scalar!(
        r#"SELECT (extract(epoch FROM initializing_at - created_at) * 1000000)::bigint AS "micros!"
        FROM exam_sessions WHERE id::text = ANY($1)"#,
        &ids(&candidates)
    )
    .fetch_all(system.pool())
    .await
    .expect("the database answers");
    assert_eq!(waits.len(), SINGLES);
    let name = "enqueue → handler start, idle";
    report.row(name, &Figures::of_micros(waits), "");
}

/// Makes as many by hand, and returns those that sessions are compared with.
async fn measure_by_hand(system: &TestSystem, count: usize, report: &mut Report) -> Figures {
    let cluster = match &system.runtime {
        TestRuntime::Engine(engine) => {
            let figures = by_hand::containers(engine, &slim(), count, SLOTS).await;
            let name = format!("{count} containers by hand, {SLOTS} at once: begin → started");
            report.row(&name, &figures, "1");
            return figures;
        }
        TestRuntime::Cluster(cluster) => cluster,
    };
    let model = system.ready_candidate("model").await;
    let pod = cluster.pod_of(&model.session_id).await;
    let pod = pod.expect("a ready session has a pod");
    end(system, &[model]).await;
    let plain = by_hand::pods(cluster, &pod, Shape::Plain, count, SLOTS).await;
    let same = by_hand::pods(cluster, &pod, Shape::Same, count, SLOTS).await;
    let name = format!("{count} pods by hand, {SLOTS} asked at once: begin → Ready");
    report.row(&name, &same, "1");
    let name = format!("{count} pods by hand that only sleep: begin → Ready");
    report.row(&name, &plain, &ratio(plain.max(), same.max(), "max"));
    same
}

async fn request_all(system: &TestSystem, count: usize) -> Vec<Candidate> {
    let users: Vec<String> = (0..count).map(|number| format!("u-{number}")).collect();
    let asked = users
        .iter()
        .map(|user| system.candidate(user, exams::SAMPLE));
    join_all(asked).await
}

fn ids(candidates: &[Candidate]) -> Vec<String> {
    let ids = candidates.iter();
    ids.map(|candidate| candidate.session_id.clone()).collect()
}

/// The times of ready sessions since each one's and since the first's creation.
async fn times_to_ready(system: &TestSystem, candidates: &[Candidate]) -> (Figures, Figures) {
    let rows = sqlx::query!(
        r#"SELECT (extract(epoch FROM ready_at - created_at) * 1000000)::bigint AS "own!",
        (extract(epoch FROM ready_at - min(created_at) OVER ()) * 1000000)::bigint AS "first!"
        FROM exam_sessions WHERE id::text = ANY($1)"#,
        &ids(candidates)
    )
    .fetch_all(system.pool())
    .await
    .expect("the database answers");
    assert_eq!(rows.len(), candidates.len());
    let since_first = rows.iter().map(|row| row.first).collect();
    let own = rows.into_iter().map(|row| row.own).collect();
    (Figures::of_micros(own), Figures::of_micros(since_first))
}

/// Ends sessions and waits until nothing of them is left.
pub(crate) async fn end(system: &TestSystem, candidates: &[Candidate]) {
    let service = Login::service();
    let asked = candidates.iter().map(|one| system.terminate(one, &service));
    for answer in join_all(asked).await {
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    for candidate in candidates {
        system.await_gone(candidate, PATIENCE).await;
    }
}
