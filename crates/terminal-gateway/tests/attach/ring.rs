//! A real shell that prints while nobody is there to see it: what is kept, and what is said of the rest.

use carrel_keeper::frames::RING;
use environment_access::wire::{Replay, ReplayMark, Resume, ServerFrame};
use session_recording::{Entry, ExitStatus, Gap, GapReason, Marker};
use sqlx::PgPool;

use crate::browser::{Browser, Came};
use crate::record::{MIB, await_entries, markers, output, spool};
use crate::seat::Seat;
use crate::shell::Keeper;

const BEGIN: &[u8] = b"begin\r\n";
/// More than four times what is kept.
const LINES: u32 = 100_000;

/// A shell that says that it is there, waits until it is told to go on, and prints so many lines that no
/// two are alike.
fn prints(lines: u32, and_then: &str) -> String {
    let program = format!(
        "BEGIN{{x=1;for(i=0;i<{lines};i++){{x=x*16807%2147483647;printf \"%010d\\n\",x}}}}"
    );
    format!("echo begin; until [ -e go ]; do sleep 0.05; done; awk '{program}'; {and_then}")
}

/// Everything that it prints. The generator is Lehmer's, small enough for awk's numbers.
fn printed(lines: u32) -> Vec<u8> {
    let mut value: u64 = 1;
    let mut text = BEGIN.to_vec();
    for _ in 0..lines {
        value = value * 16807 % 2_147_483_647;
        text.extend_from_slice(format!("{value:010}\r\n").as_bytes());
    }
    text
}

fn go(keeper: &Keeper) {
    std::fs::write(keeper.folder().join("go"), "").unwrap();
}

async fn begin(seat: &Seat) -> Browser {
    let (mut browser, _) = Browser::attach(seat, None).await;
    assert_eq!(browser.output(0, BEGIN.len()).await, BEGIN);
    browser
}

/// Goes on where the first words ended; what is replayed is said first.
async fn come_back(seat: &Seat) -> (Browser, Replay) {
    let resume = Resume {
        epoch: 1,
        output_offset: BEGIN.len() as u64,
        input_offset: 0,
    };
    let (mut browser, _) = Browser::attach(seat, Some(resume)).await;
    match browser.next().await {
        Came::Frame(ServerFrame::Replay(replay)) => (browser, replay),
        other => panic!("{other:?}"),
    }
}

/// Reads what is left of [`LINES`] lines, and says how many bytes before it are gone.
async fn arrive(browser: &mut Browser, replay: &Replay) -> (usize, Vec<u8>) {
    assert_eq!((replay.mark, replay.truncated), (ReplayMark::Begin, true));
    // As much as is kept. The terminal itself may still hold the very last.
    assert_eq!(replay.to - replay.from, RING as u64);
    let printed = printed(LINES);
    let gone = usize::try_from(replay.from).unwrap();
    let arrived = browser.output(replay.from, printed.len() - gone).await;
    assert!(arrived == printed[gone..], "the last of it, once, in order");
    (gone, arrived)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_it_prints_and_how_it_ends_unseen_is_on_record_byte_for_byte(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(&prints(10_000, "exit 7")).await;
    let spool = spool(folder.path(), MIB);
    let (seat, _running) = keeper.seat(&pool, "fail_closed", Some(spool)).await;
    drop(begin(&seat).await);
    await_entries(&seat.pool, seat.session_id, |entries| {
        markers(entries).contains(&Marker::Detach)
    })
    .await;
    go(&keeper);
    let exit = Entry::Exit(ExitStatus::Code(7));
    let entries = await_entries(&seat.pool, seat.session_id, |it| it.contains(&exit)).await;
    assert!(output(&entries) == printed(10_000));
    assert!(!entries.iter().any(|it| matches!(it, Entry::Gap(_))));
    assert_eq!(entries.last(), Some(&exit));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_keeper_that_forgot_says_so_and_what_arrives_and_what_is_gone_is_all_of_it(pool: PgPool) {
    let keeper = Keeper::start(&prints(LINES, "touch done; sleep 1000")).await;
    let (seat, _running) = keeper.seat(&pool, "off", None).await;
    drop(begin(&seat).await);
    go(&keeper);
    keeper.await_file("done").await;
    let (mut browser, replay) = come_back(&seat).await;
    let (gone, arrived) = arrive(&mut browser, &replay).await;
    assert_eq!(gone + arrived.len(), printed(LINES).len());
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_it_forgot_while_no_process_recorded_is_a_gap_of_exactly_so_many_bytes(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = || Some(spool(folder.path(), MIB));
    let keeper = Keeper::start(&prints(
        100_000,
        "touch done; until [ -e end ]; do sleep 0.05; done",
    ))
    .await;
    let (mut seat, (_, stop, ended)) = keeper.seat(&pool, "fail_closed", spool()).await;
    drop(begin(&seat).await);
    stop.cancel();
    ended.await.unwrap();
    go(&keeper);
    keeper.await_file("done").await;
    let (address, ..) = keeper.gateway(&seat.pool, spool()).await;
    seat.address = address;
    let (mut browser, replay) = come_back(&seat).await;
    let (gone, arrived) = arrive(&mut browser, &replay).await;
    std::fs::write(keeper.folder().join("end"), "").unwrap();
    let exit = Entry::Exit(ExitStatus::Code(0));
    let entries = await_entries(&seat.pool, seat.session_id, |it| it.contains(&exit)).await;
    let gap = Entry::Gap(Gap {
        bytes: (gone - BEGIN.len()) as u64,
        reason: GapReason::Missed,
    });
    let gaps = entries.iter().filter(|it| matches!(it, Entry::Gap(_)));
    assert_eq!(gaps.collect::<Vec<_>>(), [&gap]);
    assert!(output(&entries) == [BEGIN, &arrived].concat());
}
