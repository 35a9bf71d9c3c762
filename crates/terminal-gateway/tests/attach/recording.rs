//! What a terminal showed is on record, whoever leaves, ends or runs full.

use std::time::Duration;

use environment_access::wire::{ClientFrame, NoticeCode, Resume, ServerFrame};
use session_recording::{Entry, ExitStatus, Gap, GapReason, Marker, SESSION_CEILING_BYTES};
use sqlx::{Executor as _, PgPool};

use crate::bench::Bench;
use crate::browser::{Browser, Came, PATIENCE};
use crate::evidence::closed_with;
use crate::record::{MIB, await_entries, await_shipped, entries, markers, noise, output, spool};

/// Three segments and a bit.
const SMALL: u64 = 220 * 1024;

/// What a drain takes when something holds it up.
const DRAIN: Duration = Duration::from_secs(10);

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_a_terminal_showed_is_on_record_byte_for_byte(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let shown = noise(300_000);
    bench.keeper.print(&shown);
    let (mut browser, _) = Browser::attach(&bench, None).await;
    assert_eq!(browser.output(0, shown.len()).await, shown);
    browser
        .send(ClientFrame::Resize {
            columns: 120,
            rows: 40,
        })
        .await;
    browser.type_at(0, b"ls").await;
    browser.output(300_000, 2).await;
    bench.keeper.exit();
    assert_eq!(browser.closed().await, 1000);
    bench.restart(None).await;
    let entries = entries(&bench.pool, bench.session_id).await;
    assert_eq!(output(&entries), [shown, b"ls".to_vec()].concat());
    assert_eq!(markers(&entries), [Marker::Attach, Marker::Detach]);
    assert!(entries.contains(&Entry::Exit(ExitStatus::Code(3))));
    let typed = |entry: &Entry| matches!(entry, Entry::Input(_));
    assert!(!entries.iter().any(typed), "nobody asked for what is typed");
    let sizes = entries.iter().filter_map(|entry| match entry {
        Entry::Resize(size) => Some((size.cols, size.rows)),
        _ => None,
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [(80, 24), (120, 40)]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_leg_that_is_lost_again_and_again_leaves_no_byte_out_and_none_twice(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_open", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let shown = noise(200_000);
    for (number, piece) in shown.chunks(20_000).enumerate() {
        bench.keeper.print(piece);
        bench.keeper.break_legs();
        let from = number as u64 * 20_000;
        assert_eq!(browser.output(from, piece.len()).await, piece);
    }
    drop(browser);
    bench.restart(None).await;
    let entries = entries(&bench.pool, bench.session_id).await;
    assert_eq!(output(&entries), shown);
    assert!(!entries.iter().any(|entry| matches!(entry, Entry::Gap(_))));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_browser_that_comes_back_later_has_what_it_missed_recorded_from_where_the_record_ends(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"first ");
    browser.output(0, 6).await;
    drop(browser);
    bench.restart(Some(spool(folder.path(), MIB))).await;
    bench.keeper.print(b"second ");
    // It says that it has more than is on record, as after a process that died with its disk.
    let resume = Resume {
        epoch: 1,
        output_offset: 13,
        input_offset: 0,
    };
    let (mut browser, welcome) = Browser::attach(&bench, Some(resume)).await;
    assert_eq!(welcome.replay_from, 13, "it goes on at its own place");
    assert_eq!(bench.keeper.shell.lock().unwrap().asked_from, Some(6));
    bench.keeper.print(b"third");
    assert_eq!(browser.output(13, 5).await, b"third");
    await_shipped(&bench.pool, 18).await;
    let entries = entries(&bench.pool, bench.session_id).await;
    assert_eq!(output(&entries), b"first second third");
    let expected = [Marker::Attach, Marker::Detach, Marker::Resume];
    assert_eq!(markers(&entries), expected);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_must_be_recorded_is_forgotten_by_the_shell_only_once_it_is_written(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_closed", spool(folder.path(), SMALL)).await;
    let shown = noise(600_000);
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let blocked = bench.hold_shipping().await;
    bench.keeper.print(&shown);
    // The spool takes a part of it and nothing goes on to the database: the terminal stands still.
    let mut seen = Vec::new();
    loop {
        match browser.next().await {
            Came::Frame(ServerFrame::Output { bytes }) => {
                seen.extend_from_slice(&bytes);
                let offset = seen.len() as u64;
                browser.send(ClientFrame::Ack { offset }).await;
            }
            Came::Frame(ServerFrame::Notice(notice)) if notice.code == NoticeCode::Frozen => {
                assert_eq!(notice.text, "terminal.not_recorded");
                break;
            }
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
    browser.type_at(0, b"x").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(bench.keeper.typed(), b"", "typing waits with it");
    assert!(bench.keeper.shell.lock().unwrap().acked <= SMALL);
    blocked.release().await;
    let rest = browser.output(seen.len() as u64, shown.len() - seen.len() + 1);
    seen.extend(rest.await);
    assert_eq!(seen, [shown, b"x".to_vec()].concat());
    await_shipped(&bench.pool, seen.len() as u64).await;
    let entries = entries(&bench.pool, bench.session_id).await;
    assert_eq!(output(&entries), seen);
    // As often as the spool was full.
    let told = markers(&entries);
    let (turns, rest) = told[1..].as_chunks::<2>();
    assert!(!turns.is_empty() && rest.is_empty(), "{told:?}");
    let is_turn = |turn: &[Marker; 2]| *turn == [Marker::Freeze, Marker::Thaw];
    assert!(turns.iter().all(is_turn), "{told:?}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_recording_that_could_not_begin_begins_while_the_terminal_lives_with_a_gap_until_then(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_open", spool(folder.path(), MIB)).await;
    let away = "ALTER TABLE session_recordings RENAME TO away";
    bench.pool.execute(away).await.unwrap();
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"unseen");
    assert_eq!(browser.output(0, 6).await, b"unseen");
    let back = "ALTER TABLE away RENAME TO session_recordings";
    bench.pool.execute(back).await.unwrap();
    let begun = async {
        let count = || sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM session_recordings"#);
        while count().fetch_one(&bench.pool).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    // The tape is open now or in a moment; what was shown until then is a gap either way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    bench.keeper.print(b"kept");
    assert_eq!(browser.output(6, 4).await, b"kept");
    drop(browser);
    bench.restart(None).await;
    let entries = entries(&bench.pool, bench.session_id).await;
    let gap = Gap {
        bytes: 6,
        reason: GapReason::Unrecorded,
    };
    assert!(entries.contains(&Entry::Gap(gap)), "{entries:?}");
    assert_eq!(output(&entries), b"kept");
    assert_eq!(markers(&entries), [Marker::Attach, Marker::Detach]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_recording_that_begins_after_the_browser_went_ends_with_the_shell_that_it_left(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_open", spool(folder.path(), MIB)).await;
    let away = "ALTER TABLE session_recordings RENAME TO away";
    bench.pool.execute(away).await.unwrap();
    let (browser, _) = Browser::attach(&bench, None).await;
    drop(browser);
    assert_eq!(closed_with(&bench).await, 1001);
    let back = "ALTER TABLE away RENAME TO session_recordings";
    bench.pool.execute(back).await.unwrap();
    let is = |marker| move |entries: &[Entry]| markers(entries).contains(&marker);
    await_entries(&bench.pool, bench.session_id, is(Marker::Attach)).await;
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, is(Marker::Detach)).await;
    assert_eq!(markers(&entries), [Marker::Attach, Marker::Detach]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_that_goes_on_without_a_record_shows_everything_and_has_the_gap_on_record(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_open", spool(folder.path(), SMALL)).await;
    let shown = noise(3 * 1024 * 1024);
    let (mut browser, _) = Browser::attach(&bench, None).await;
    let blocked = bench.hold_shipping().await;
    bench.keeper.print(&shown);
    assert_eq!(browser.output(0, shown.len()).await, shown);
    browser.type_at(0, b"x").await;
    browser.output(shown.len() as u64, 1).await;
    blocked.release().await;
    let mut to = shown.len() as u64 + 1;
    // What is recorded next says that something is missing before it.
    let resumed = async {
        loop {
            bench.keeper.print(b".");
            browser.output(to, 1).await;
            to += 1;
            let entries = entries(&bench.pool, bench.session_id).await;
            if output(&entries).ends_with(b".") {
                return entries;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let entries = tokio::time::timeout(PATIENCE * 3, resumed).await;
    let entries = entries.expect("the record goes on in time");
    let missing: u64 = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Gap(gap) if gap.reason == GapReason::Unrecorded => Some(gap.bytes),
            _ => None,
        })
        .sum();
    assert!(missing > 0, "the spool was too small for it");
    let recorded = output(&entries).len() as u64;
    assert!(recorded + missing <= to, "{recorded} and {missing} of {to}");
    assert!(output(&entries).starts_with(&shown[..100_000]));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_that_must_be_recorded_does_not_begin_where_nothing_can_be(pool: PgPool) {
    let bench = Bench::recording(pool, "fail_closed", None).await;
    let mut browser = Browser::greet(&bench, None).await;
    assert_eq!(browser.closed().await, 1013);
    assert_eq!(bench.keeper.shell.lock().unwrap().opens, 0);
    let epochs = sqlx::query_scalar!(r#"SELECT count(*) AS "epochs!" FROM terminal_attachments"#);
    let epochs = epochs.fetch_one(&bench.pool).await.unwrap();
    assert_eq!(
        epochs, 0,
        "nobody was superseded for it, and no clock started"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_exam_that_may_go_on_without_a_record_begins_where_nothing_can_be(pool: PgPool) {
    let bench = Bench::recording(pool, "fail_open", None).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    browser.type_at(0, b"x").await;
    browser.output(0, 1).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_attaches_where_nothing_more_is_kept_is_told_each_time_and_leaves_nothing_behind(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (browser, _) = Browser::attach(&bench, None).await;
    drop(browser);
    bench.restart(Some(spool(folder.path(), MIB))).await;
    // As long as one may be, without the hour that it takes.
    let fill = format!(
        "BEGIN; SET LOCAL session_replication_role = 'replica';
         UPDATE session_recordings SET raw_bytes = {SESSION_CEILING_BYTES}; COMMIT"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill))
        .execute(&bench.pool)
        .await
        .unwrap();
    for _ in 0..3 {
        let (mut browser, _) = Browser::attach(&bench, None).await;
        bench.keeper.print(b"never shown");
        loop {
            match browser.next().await {
                Came::Frame(ServerFrame::Notice(notice)) => {
                    assert_eq!(notice.code, NoticeCode::Frozen);
                    assert_eq!(notice.text, "terminal.recording_full");
                    break;
                }
                Came::Frame(ServerFrame::Output { bytes }) => panic!("shown: {bytes:?}"),
                Came::Frame(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    // Each tee has ended with its terminal: nothing keeps the process from ending.
    let begun = std::time::Instant::now();
    bench.restart(None).await;
    assert!(begun.elapsed() < DRAIN, "{:?}", begun.elapsed());
}
