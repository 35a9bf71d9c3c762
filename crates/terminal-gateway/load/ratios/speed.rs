//! Echo and bulk.

use std::time::Duration;

use environment_access::wire::{ClientFrame, ServerFrame};
use tokio::task::JoinSet;

use crate::Rounds;
use crate::browser::{Browser, Came};
use crate::database::Database;
use crate::direct::{Direct, Page, bulk, echo};
use crate::gateway::Running;
use crate::keeper::TestKeeper;
use crate::report::{Report, Target, Times};
use crate::typing;

/// Between two keys, so that one key's acknowledgements are over before the next is typed.
const PAUSE: Duration = Duration::from_millis(3);
const BULK: u64 = 64 * 1024 * 1024;
/// Floods that no window holds back for long, and how fast their pages parse, in bytes a second.
const FLOODS: [(usize, f64); 2] = [(20, 3e6), (50, 1e6)];

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    let running = Running::start(database).await;
    let alone = echoes(&running, rounds, report).await;
    typing::measure(&running, rounds, report).await;
    bulks(&running, rounds, report).await;
    recorded(&running, rounds, report).await;
    for (count, rate) in FLOODS {
        flooded(&running, rounds, report, &alone, (count, rate)).await;
    }
}

/// Both ways in turn: whatever else the machine does meets both.
async fn echoes(running: &Running, rounds: Rounds, report: &mut Report) -> Times {
    let (mut direct, _) = Direct::open(running, "direct-echo").await;
    let mut page = Page::new(Browser::attach(&running.seat().await, None).await.0);
    let (mut by_direct, mut by_page) = (Vec::new(), Vec::new());
    for offset in 0..rounds.keys as u64 {
        by_direct.push(echo(&mut direct, offset).await);
        tokio::time::sleep(PAUSE).await;
        by_page.push(echo(&mut page, offset).await);
        tokio::time::sleep(PAUSE).await;
    }
    let (direct, page) = (Times::of(by_direct), Times::of(by_page));
    let n = direct.count();
    report.row(
        "echo by the stream alone",
        n,
        &direct.text(),
        &Target::none(),
    );
    report.row("echo by the gateway", n, &page.text(), &Target::none());
    let (half, most) = (page.ratio(&direct, 50), page.ratio(&direct, 99));
    let more = page.percentile(50).saturating_sub(direct.percentile(50));
    let found = format!("{half:.2}×, {:+.0} µs", more.as_secs_f64() * 1e6);
    let met = half <= 2.0 && more <= Duration::from_micros(50);
    let target = Target::met_if("≤ 2.0× and ≤ +50 µs", met);
    report.row("— p50, gateway to stream", n, &found, &target);
    let met = most <= 3.0 && page.percentile(99) <= Duration::from_millis(1);
    let target = Target::met_if("≤ 3× and ≤ 1 ms", met);
    report.row(
        "— p99, gateway to stream",
        n,
        &format!("{most:.2}×"),
        &target,
    );
    page
}

async fn bulks(running: &Running, rounds: Rounds, report: &mut Report) {
    let (mut direct, its) = Direct::open(running, "direct-bulk").await;
    let seat = running.seat().await;
    let mut page = Page::new(Browser::attach(&seat, None).await.0);
    let (mut by_direct, mut by_page) = (Vec::new(), Vec::new());
    for _ in 0..rounds.bulks {
        by_direct.push(bulk(&mut direct, &its, BULK).await);
        by_page.push(bulk(&mut page, &seat.keeper, BULK).await);
    }
    let (direct, page) = (Times::of(by_direct), Times::of(by_page));
    let rate = |times: &Times| BULK as f64 / times.percentile(50).as_secs_f64() / 1e6;
    let n = direct.count();
    let found = format!("{:.0} MB/s", rate(&direct));
    report.row("64 MiB by the stream alone", n, &found, &Target::none());
    let ratio = direct.ratio(&page, 50);
    let found = format!("{:.0} MB/s, {ratio:.2}×", rate(&page));
    let target = Target::met_if("≥ 0.5×", ratio >= 0.5);
    report.row("64 MiB by the gateway", n, &found, &target);
}

/// The same terminal with and without a recorder, in turn.
async fn recorded(running: &Running, rounds: Rounds, report: &mut Report) {
    let (mut plain, _) = page_in(running, "off").await;
    let (mut taped, _) = page_in(running, "fail_closed").await;
    let (mut by_plain, mut by_taped) = (Vec::new(), Vec::new());
    for offset in 0..rounds.keys as u64 {
        by_plain.push(echo(&mut plain, offset).await);
        tokio::time::sleep(PAUSE).await;
        by_taped.push(echo(&mut taped, offset).await);
        tokio::time::sleep(PAUSE).await;
    }
    let (by_plain, by_taped) = (Times::of(by_plain), Times::of(by_taped));
    let ratio = by_taped.ratio(&by_plain, 99);
    let found = format!("{}, {ratio:.2}× (p99)", by_taped.text());
    let target = Target::met_if("≤ 1.05× (p99)", ratio <= 1.05);
    let n = by_taped.count();
    report.row("echo, recorded to not recorded", n, &found, &target);
    recorded_bulks(running, rounds, report).await;
}

async fn recorded_bulks(running: &Running, rounds: Rounds, report: &mut Report) {
    // New ones: a shell that has echoed prints no pattern from its beginning.
    let (mut plain, its) = page_in(running, "off").await;
    let (mut taped, other) = page_in(running, "fail_closed").await;
    let (mut by_plain, mut by_taped) = (Vec::new(), Vec::new());
    for _ in 0..rounds.bulks {
        by_plain.push(bulk(&mut plain, &its, BULK).await);
        by_taped.push(bulk(&mut taped, &other, BULK).await);
    }
    let (by_plain, by_taped) = (Times::of(by_plain), Times::of(by_taped));
    let ratio = by_plain.ratio(&by_taped, 50);
    let target = Target::met_if("≥ 0.95×", ratio >= 0.95);
    let n = by_taped.count();
    let found = format!("{ratio:.2}×");
    report.row("64 MiB, recorded to not recorded", n, &found, &target);
}

/// A page at a terminal of an exam that wants it recorded in that way, and its shell.
async fn page_in(running: &Running, recording: &str) -> (Page, TestKeeper) {
    let seat = running.seat_in(recording).await;
    let (browser, _) = Browser::attach(&seat, None).await;
    (Page::new(browser), seat.keeper)
}

async fn flooded(
    running: &Running,
    rounds: Rounds,
    report: &mut Report,
    alone: &Times,
    (count, rate): (usize, f64),
) {
    let mut floods = JoinSet::new();
    for _ in 0..count {
        let seat = running.seat().await;
        let (browser, _) = Browser::attach(&seat, None).await;
        seat.keeper.print_pattern(u64::MAX);
        floods.spawn(parse(browser, rate));
    }
    let mut page = Page::new(Browser::attach(&running.seat().await, None).await.0);
    let mut times = Vec::new();
    for offset in 0..rounds.keys as u64 {
        times.push(echo(&mut page, offset).await);
        tokio::time::sleep(PAUSE).await;
    }
    let times = Times::of(times);
    let ratio = times.ratio(alone, 99);
    let what = format!("echo beside {count} floods of {:.0} MB/s", rate / 1e6);
    let found = format!("{}, {ratio:.2}× (p99)", times.text());
    let target = match count {
        20 => Target::met_if("≤ 2× (p99)", ratio <= 2.0),
        _ => Target::none(),
    };
    report.row(&what, times.count(), &found, &target);
}

/// A page that parses at a steady rate, and acknowledges what it has parsed.
async fn parse(mut browser: Browser, rate: f64) {
    const PIECE: u64 = 32 * 1024;
    let (mut parsed, mut acked) = (0, 0);
    while let Came::Frame(frame) = browser.next().await {
        let ServerFrame::Output { bytes } = frame else {
            continue;
        };
        parsed += bytes.len() as u64;
        if parsed - acked >= PIECE {
            let pause = (parsed - acked) as f64 / rate;
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            acked = parsed;
            browser.send(ClientFrame::Ack { offset: acked }).await;
        }
    }
}
