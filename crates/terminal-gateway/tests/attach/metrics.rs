//! What is seen of terminals from outside.

use std::net::SocketAddr;
use std::time::Duration;

use environment_access::wire::{ServerFrame, limits};
use session_recording::Marker;
use sqlx::PgPool;

use crate::bench::{Bench, apart, start_observed_gateway};
use crate::browser::{Browser, Came, PATIENCE};
use crate::record::{MIB, await_entries, markers, spool};

/// The value of a line without labels; nothing where there is none yet.
async fn scraped(admin: SocketAddr, metric: &str) -> Option<f64> {
    let text = reqwest::get(format!("http://{admin}/metrics")).await;
    let text = text.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(metric)?.trim().parse().ok())
}

async fn await_scraped(admin: SocketAddr, metric: &str, expected: impl Fn(f64) -> bool) {
    let shown = async {
        while !scraped(admin, metric).await.is_some_and(&expected) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, shown).await;
    waited.unwrap_or_else(|_| panic!("{metric} does not show it in time"));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_window_that_a_browser_does_not_acknowledge_shows_until_it_does(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (running, admin) = start_observed_gateway(&apart(&bench.pool), &bench.keeper).await;
    let mut seat = bench.seat("slow").await;
    seat.address = running.0;
    let (mut browser, _) = Browser::attach(&seat, None).await;
    let stalls = "carrel_terminal_stalls_total ";
    let before = scraped(admin, stalls).await.unwrap_or_default();
    seat.keeper.print(&vec![b'x'; 300_000]);
    let mut seen = 0;
    while seen < limits::OUTPUT_WINDOW {
        if let Came::Frame(ServerFrame::Output { bytes }) = browser.next().await {
            seen += bytes.len() as u64;
        }
    }
    let unacked = "carrel_terminal_unacked_bytes ";
    await_scraped(admin, unacked, |bytes| bytes > 100_000.0).await;
    await_scraped(admin, stalls, |count| count > before).await;
    let offset = seen;
    let ack = environment_access::wire::ClientFrame::Ack { offset };
    browser.send(ack).await;
    let rest = 300_000 - usize::try_from(seen).unwrap();
    browser.output(seen, rest).await;
    await_scraped(admin, unacked, |bytes| bytes < 0.5).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_shell_that_nobody_reads_shows_while_nobody_does(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (running, admin) = start_observed_gateway(&apart(&bench.pool), &bench.keeper).await;
    let unread = "carrel_terminal_unread ";
    let (browser, _) = Browser::attach(&bench, None).await;
    drop(browser);
    await_entries(&bench.pool, bench.session_id, |entries| {
        markers(entries).contains(&Marker::Detach)
    })
    .await;
    bench.stop.cancel();
    (&mut bench.ended).await.unwrap();
    await_scraped(admin, unread, |shells| shells > 0.5).await;
    bench.end_session().await;
    await_scraped(admin, unread, |shells| shells < 0.5).await;
    drop(running);
}
