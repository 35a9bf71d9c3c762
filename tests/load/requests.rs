//! What a worker asks of the API server for one session, from its creation to its end.

use std::collections::BTreeMap;

use system_tests::{TestSystem, exams};

use crate::exam::PATIENCE;
use crate::report::Report;
use crate::starts;

const SESSIONS: u32 = 20;

/// Counts by verb and resource, on a system whose worker's requests pass the proxy. What a worker
/// asks in any case, such as the sweep's lists, is among it.
pub(crate) async fn measure(system: &TestSystem, report: &mut Report) {
    let proxy = system.api_proxy.as_ref().expect("it was planned so");
    let before = proxy.calls().len();
    let mut candidates = Vec::new();
    for number in 0..SESSIONS {
        let user = format!("u-{number}");
        candidates.push(system.candidate(&user, exams::SAMPLE).await);
    }
    for candidate in &candidates {
        system.await_state(candidate, "ready", PATIENCE).await;
    }
    let ready = proxy.calls().len();
    starts::end(system, &candidates).await;
    let calls = proxy.calls();
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (number, call) in calls.iter().enumerate().skip(before) {
        let (preparing, ending) = counts.entry(&call.what).or_default();
        *(if number < ready { preparing } else { ending }) += 1;
    }
    let all = counts.values();
    let all = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let head = [
        format!("| Requests, {SESSIONS} sessions at once | to ready | to the end | a session |"),
        "|---|---|---|---|".to_owned(),
    ];
    let rows = counts.iter().map(|(what, count)| row(what, *count));
    report.below(head.into_iter().chain(rows).chain([row("all", all)]));
}

fn row(what: &str, (preparing, ending): (u32, u32)) -> String {
    let each = f64::from(preparing + ending) / f64::from(SESSIONS);
    format!("| {what} | {preparing} | {ending} | {each:.2} |")
}
