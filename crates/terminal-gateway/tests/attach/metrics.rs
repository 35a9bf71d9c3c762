//! What is seen of terminals from outside.

use std::net::SocketAddr;
use std::time::Duration;

use environment_access::wire::{ClientFrame, ServerFrame, limits};
use sqlx::PgPool;

use crate::bench::apart;
use crate::browser::{Browser, Came, PATIENCE};
use crate::read_on::Victim;
use crate::shell::{Keeper, seat_at};

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

/// Prints more than a window, once it may, and stays.
const PRINTS: &str = "until [ -e go ]; do sleep 0.05; done; printf '%0300000d' 0; exec sleep 3600";

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_window_that_a_browser_does_not_acknowledge_shows_until_it_does(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (keeper, pool) = (Keeper::start(PRINTS).await, apart(&pool));
    // Its metrics are those of no other terminal.
    let alone = Victim::start(&pool, folder.path(), &keeper).await;
    let seat = seat_at(pool, alone.address, "off").await;
    let (mut browser, _) = Browser::attach(&seat, None).await;
    std::fs::write(keeper.folder().join("go"), "").unwrap();
    let mut seen = 0;
    while seen < limits::OUTPUT_WINDOW {
        if let Came::Frame(ServerFrame::Output { bytes }) = browser.next().await {
            seen += bytes.len() as u64;
        }
    }
    let unacked = "carrel_terminal_unacked_bytes ";
    await_scraped(alone.admin, unacked, |bytes| bytes > 100_000.0).await;
    await_scraped(alone.admin, "carrel_terminal_stalls_total ", |count| {
        count > 0.5
    })
    .await;
    browser.send(ClientFrame::Ack { offset: seen }).await;
    let rest = 300_000 - usize::try_from(seen).unwrap();
    browser.output(seen, rest).await;
    await_scraped(alone.admin, unacked, |bytes| bytes < 0.5).await;
}
