//! How soon: an interrupt into a terminal whose output stalls, and the end of a session.

use std::time::{Duration, Instant};

use environment_access::wire::ServerFrame;
use sqlx::{AssertSqlSafe, PgPool, raw_sql};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Rounds;
use crate::browser::{Browser, Came};
use crate::database::Database;
use crate::gateway::Running;
use crate::raw::{Raw, frame};
use crate::report::{Report, Target, Times};
use crate::seat::Seat;

/// For output to fill every buffer on its way.
const FILL: Duration = Duration::from_millis(500);
/// Between two keys of somebody who types as fast as can be.
const KEY: Duration = Duration::from_millis(1);

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    let running = Running::start(database).await;
    interrupts(&running, rounds, report).await;
    cut_offs(&running, rounds, report).await;
    stuck(&running, rounds, report).await;
}

/// From the key to the page's knowing that the shell has it, while nothing is acknowledged.
async fn interrupts(running: &Running, rounds: Rounds, report: &mut Report) {
    let seat = running.seat().await;
    let (mut browser, _) = Browser::attach(&seat, None).await;
    seat.keeper.print_pattern(u64::MAX);
    tokio::time::sleep(FILL).await;
    let mut times = Vec::new();
    for offset in 0..rounds.ends as u64 {
        let begun = Instant::now();
        browser.type_at(offset, b"\x03").await;
        acknowledged(&mut browser, offset + 1).await;
        times.push(begun.elapsed());
    }
    let times = Times::of(times);
    let met = times.percentile(99) <= Duration::from_millis(5);
    let target = Target::met_if("≤ 5 ms", met);
    let what = "Ctrl-C there and back, output stalled";
    report.row(what, times.count(), &times.text(), &target);
}

async fn acknowledged(browser: &mut Browser, wanted: u64) {
    loop {
        match browser.next().await {
            Came::Frame(ServerFrame::InputAck { offset, .. }) if offset >= wanted => return,
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// From the commit's answer to the last byte that the shell took; with notifications, and without any.
async fn cut_offs(running: &Running, rounds: Rounds, report: &mut Report) {
    let times = typed_after(running, rounds.ends).await;
    let met = times.percentile(99) <= Duration::from_millis(20);
    let target = Target::met_if("≤ 20 ms (p99)", met);
    let what = "end committed → last byte taken";
    report.row(what, times.count(), &times.text(), &target);
    let pool = &running.seat().await.pool;
    notify(pool, "DISABLE").await;
    let times = typed_after(running, rounds.ends.min(40)).await;
    notify(pool, "ENABLE").await;
    let met = times.percentile(99) <= Duration::from_millis(2500);
    let target = Target::met_if("≤ 2.5 s (p99)", met);
    let what = "— while no notification comes";
    report.row(what, times.count(), &times.text(), &target);
}

/// Has the database tell of ends, or not.
async fn notify(pool: &PgPool, verb: &str) {
    let alter = format!("ALTER TABLE exam_sessions {verb} TRIGGER exam_sessions_hint");
    raw_sql(AssertSqlSafe(alter)).execute(pool).await.unwrap();
}

async fn typed_after(running: &Running, rounds: usize) -> Times {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let seat = running.seat().await;
        let raw = Raw::attach(&seat).await;
        let typing = tokio::spawn(type_on(raw));
        tokio::time::sleep(Duration::from_millis(50)).await;
        seat.end_session().await;
        let committed = Instant::now();
        typing.await.unwrap();
        let last = seat.keeper.typed_at().expect("something was typed");
        times.push(last.saturating_duration_since(committed));
    }
    Times::of(times)
}

/// Types until nobody takes it any more.
async fn type_on(raw: Raw) {
    let (mut reader, mut writer) = raw.stream.into_split();
    let reading = tokio::spawn(async move {
        let mut ignored = vec![0; 4096];
        while reader.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
    });
    for offset in 0_u64.. {
        let input = [&[0x02][..], &offset.to_be_bytes(), b"k"].concat();
        if reading.is_finished() || writer.write_all(&frame(0x82, &input)).await.is_err() {
            return;
        }
        tokio::time::sleep(KEY).await;
    }
}

/// From the commit's answer to the end of a socket whose client reads nothing.
async fn stuck(running: &Running, rounds: Rounds, report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..rounds.ends.min(40) {
        let seat = running.seat().await;
        let mut raw = Raw::attach(&seat).await;
        seat.keeper.print_pattern(u64::MAX);
        tokio::time::sleep(FILL).await;
        times.push(freed(&seat, &mut raw).await);
    }
    let times = Times::of(times);
    let met = times.percentile(99) <= Duration::from_millis(300);
    let target = Target::met_if("≤ 300 ms", met);
    let what = "end committed → socket of a stuck client gone";
    report.row(what, times.count(), &times.text(), &target);
}

async fn freed(seat: &Seat, raw: &mut Raw) -> Duration {
    seat.end_session().await;
    let committed = Instant::now();
    // It is gone when what is written to it comes back as a reset.
    while raw.stream.write_all(&frame(0x8A, b"")).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    committed.elapsed()
}
