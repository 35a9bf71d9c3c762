//! Bulk from pods: through the gateway, and by kube's own stream with its defaults, from the same server.

use crate::Rounds;
use crate::attached;
use crate::browser::Browser;
use crate::database::Database;
use crate::direct::{Page, bulk};
use crate::gateway::Running;
use crate::report::{Report, Target, Times};

/// What the slower of the two takes in a second, so that no run of it takes long.
const BULK: u64 = 32 * 1024 * 1024;

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    let running = Running::of_pods(database, false).await;
    let kubeconfig = running
        .pods
        .as_ref()
        .expect("it leads to pods")
        .kubeconfig();
    let pods = attached::pods(&kubeconfig).await;
    let (mut attached, _process) = attached::line(&pods, "bulk").await;
    let its = running.shells.named("bulk");
    let seat = running.seat().await;
    let mut page = Page::new(Browser::attach(&seat, None).await.0);
    let (mut by_kube, mut by_page) = (Vec::new(), Vec::new());
    for _ in 0..rounds.bulks {
        by_kube.push(bulk(&mut attached, &its, BULK).await);
        by_page.push(bulk(&mut page, &seat.keeper, BULK).await);
    }
    let (kube, page) = (Times::of(by_kube), Times::of(by_page));
    let rate = |times: &Times| BULK as f64 / times.percentile(50).as_secs_f64() / 1e6;
    let n = kube.count();
    let found = format!("{:.0} MB/s", rate(&kube));
    let what = "32 MiB from a pod by `AttachedProcess`";
    report.row(what, n, &found, &Target::none());
    let ratio = kube.ratio(&page, 50);
    let found = format!("{:.0} MB/s, {ratio:.1}×", rate(&page));
    let target = Target::met_if("≥ 10×", ratio >= 10.0);
    report.row("32 MiB from a pod by the gateway", n, &found, &target);
    let target = Target::unmeasured("≥ 1.0×");
    let found = "not measured: no package of it is at hand";
    report.row("— to ttyd on the same terminal", 0, found, &target);
}
