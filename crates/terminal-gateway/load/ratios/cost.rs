//! What terminals cost: memory of the process and of the kernel, and files.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::Rounds;
use crate::browser::Browser;
use crate::child::Child;
use crate::database::Database;
use crate::gateway::Running;
use crate::keeper::Shells;
use crate::pods::Pods;
use crate::raw::{Raw, header};
use crate::report::{Report, Target};

/// For what was just done to be all done.
const REST: Duration = Duration::from_secs(3);
/// For what idle terminals do now and then to be seen.
const IDLE: Duration = Duration::from_secs(30);
/// Behind a header that announces more.
const ATTACK: usize = 20 * 1024 * 1024;

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    idle(database, rounds.idle, report).await;
    stuck(database, rounds.stuck, report).await;
    oversize(database, report).await;
}

/// What the first ones bring along is not their own: threads, connections to the database.
async fn warm_up(running: &Running) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for _ in 0..8 {
        browsers.push(Browser::attach(&running.seat().await, None).await.0);
    }
    browsers
}

/// With execs over TLS, as in a cluster.
async fn idle(database: &Database, count: usize, report: &mut Report) {
    let running = Running::of_pods(database, true).await;
    let _warm = warm_up(&running).await;
    tokio::time::sleep(REST).await;
    let before = (running.child.resident_kib(), running.child.open_files());
    let kernel_before = kernel_kib();
    let mut browsers = Vec::new();
    for _ in 0..count {
        browsers.push(Browser::attach(&running.seat().await, None).await.0);
    }
    tokio::time::sleep(REST).await;
    let each = per(running.child.resident_kib() - before.0, count);
    let target = Target::met_if("≤ 64 KiB", each <= 64.0);
    let what = "memory of an idle terminal, exec over TLS";
    report.row(what, count, &kib(each), &target);
    beside_kube(each, count, report).await;
    let files = (running.child.open_files() - before.1) as f64 / count as f64;
    let found = format!("{files:.2}");
    let target = Target::met_if("≤ 3", files <= 3.01);
    report.row("open files of an idle terminal", count, &found, &target);
    let kernel = per(kernel_kib().saturating_sub(kernel_before), count);
    let what = "kernel's memory for it, both ends of both legs";
    report.row(what, count, &kib(kernel), &Target::none());
    processor_time(&running, count, report).await;
}

/// As many idle streams of kube's own to the same kind of server, in a process that does nothing else.
async fn beside_kube(ours: f64, count: usize, report: &mut Report) {
    let pods = Pods::listen(&Shells::default(), true).await;
    let (kubeconfig, number) = (pods.kubeconfig(), count.to_string());
    let kubeconfig = kubeconfig.to_str().unwrap();
    let mut holder = Child::start(&["attached", "--kubeconfig", kubeconfig, "--count", &number]);
    holder.line().await;
    tokio::time::sleep(REST).await;
    let before = holder.resident_kib();
    holder.go_on().await;
    holder.line().await;
    tokio::time::sleep(REST).await;
    let each = per(holder.resident_kib() - before, count);
    let what = "memory of an idle `AttachedProcess` over TLS";
    report.row(what, count, &kib(each), &Target::none());
    let ratio = ours / each;
    let found = format!("{ratio:.2}×");
    let target = Target::met_if("≤ 0.45×", ratio <= 0.45);
    report.row("— idle terminal to it", count, &found, &target);
}

async fn processor_time(running: &Running, count: usize, report: &mut Report) {
    let before = running.child.processor_time();
    tokio::time::sleep(IDLE).await;
    let used = running.child.processor_time().saturating_sub(before);
    let share = used.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    let found = format!("{share:.1} % of one processor");
    report.row(
        "processor time of all of them, idle",
        count,
        &found,
        &Target::none(),
    );
}

/// Clients that read nothing, each with a shell that prints for ever.
async fn stuck(database: &Database, count: usize, report: &mut Report) {
    let running = Running::start(database).await;
    let _warm = warm_up(&running).await;
    let before = (running.child.resident_kib(), kernel_kib());
    let mut clients = Vec::new();
    for _ in 0..count {
        let seat = running.seat().await;
        clients.push(Raw::attach(&seat).await);
        seat.keeper.print_pattern(u64::MAX);
    }
    tokio::time::sleep(REST).await;
    let heap = per(running.child.resident_kib() - before.0, count);
    let kernel = per(kernel_kib().saturating_sub(before.1), count);
    let found = format!("{} + {} of the kernel", kib(heap), kib(kernel));
    let target = Target::met_if("≤ 768 KiB", heap + kernel <= 768.0);
    report.row("memory of a stuck client", count, &found, &target);
}

/// A header that announces 600 MB, and as much of that as is taken.
async fn oversize(database: &Database, report: &mut Report) {
    let running = Running::start(database).await;
    let seat = running.seat().await;
    let attack = vec![0; ATTACK];
    let mut growths = Vec::new();
    for _ in 0..11 {
        let mut raw = Raw::open(&seat, &seat.login()).await;
        let before = running.child.resident_kib();
        raw.send(&header(0x82, 8, 600 << 20)).await;
        // It is cut off somewhere on the way.
        raw.stream.write_all(&attack).await.ok();
        growths.push(running.child.resident_kib().saturating_sub(before));
    }
    // Some bring along what stays: a thread's first allocation, a connection to the database.
    growths.sort_unstable();
    let (half, most) = (growths[growths.len() / 2], growths[growths.len() - 1]);
    let found = format!("p50 {half} KiB, {most} KiB at most");
    let target = Target::met_if("≤ 64 KiB (p50)", half <= 64);
    let what = "growth by a frame that is too long";
    report.row(what, growths.len(), &found, &target);
}

fn per(kib: u64, count: usize) -> f64 {
    kib as f64 / count as f64
}

fn kib(amount: f64) -> String {
    format!("{amount:.1} KiB")
}

/// What the kernel holds for TCP on this machine.
fn kernel_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap();
    let line = text.lines().find(|line| line.starts_with("TCP:")).unwrap();
    let pages = line.split(' ').next_back().unwrap();
    pages.parse::<u64>().unwrap() * 4
}
