//! A shell that nobody is attached to is recorded up to its exit, and nothing passes to it.

use environment_access::wire::Resume;
use session_identity::ExamSessionId;
use session_recording::{Entry, ExitStatus, Gap, GapReason, Marker};
use sqlx::{Executor as _, PgPool};

use crate::bench::Bench;
use crate::browser::Browser;
use crate::record::{MIB, await_entries, entries, markers, noise, output, spool};

/// More than a ring or a window holds.
const MUCH: usize = 700_000;

fn has_exit(entries: &[Entry]) -> bool {
    entries.contains(&Entry::Exit(ExitStatus::Code(3)))
}

fn has_gap(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(entry, Entry::Gap(_)))
}

/// Lets go of a terminal; it is known here before this returns.
async fn leave(pool: &PgPool, session: ExamSessionId, browser: Browser) {
    let before = markers(&entries(pool, session).await);
    let left = before.iter().filter(|it| **it == Marker::Detach).count();
    drop(browser);
    await_entries(pool, session, |entries| {
        let detached = markers(entries).into_iter();
        detached.filter(|it| *it == Marker::Detach).count() > left
    })
    .await;
}

async fn assert_recorded_unattended(pool: PgPool, policy: &str) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, policy, spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"seen ");
    browser.output(0, 5).await;
    leave(&bench.pool, bench.session_id, browser).await;
    let unseen = noise(200_000);
    bench.keeper.print(&unseen);
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    assert_eq!(output(&entries), [b"seen ".to_vec(), unseen].concat());
    assert!(!has_gap(&entries));
    assert_eq!(markers(&entries), [Marker::Attach, Marker::Detach]);
    assert_eq!(entries.last(), Some(&Entry::Exit(ExitStatus::Code(3))));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_it_prints_and_how_it_ends_while_nobody_is_attached_is_on_record(pool: PgPool) {
    assert_recorded_unattended(pool, "fail_closed").await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn it_is_recorded_as_well_where_the_exam_may_go_on_without(pool: PgPool) {
    assert_recorded_unattended(pool, "fail_open").await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_s_end_shuts_the_shell_off_and_what_it_still_prints_is_on_record(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    // A browser that acknowledges nothing: what it has not taken is not on record by way of it.
    let before = noise(200_000);
    bench.keeper.print(&before);
    browser.type_at(0, b"x").await;
    while bench.keeper.typed().is_empty() {
        browser.next().await;
    }
    bench.end_session().await;
    assert_eq!(browser.closed().await, 4010);
    let last_words = noise(MUCH);
    bench.keeper.print(&last_words);
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    let expected = [before, b"x".to_vec(), last_words].concat();
    assert!(output(&entries) == expected, "{}", output(&entries).len());
    assert!(!has_gap(&entries));
    assert_eq!(bench.keeper.typed(), b"x");
    assert_eq!(bench.keeper.shell.lock().unwrap().opens, 1, "by one leg");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn whoever_comes_back_goes_on_at_the_very_place_and_the_record_has_everything_once(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"first ");
    browser.output(0, 6).await;
    leave(&bench.pool, bench.session_id, browser).await;
    let unseen = noise(150_000);
    bench.keeper.print(&unseen);
    let resume = Resume {
        epoch: 1,
        output_offset: 6,
        input_offset: 0,
    };
    let (mut browser, welcome) = Browser::attach(&bench, Some(resume)).await;
    assert_eq!(welcome.replay_from, 6);
    assert_eq!(browser.output(6, unseen.len()).await, unseen);
    bench.keeper.print(b"last");
    browser.output(150_006, 4).await;
    drop(browser);
    bench.restart(None).await;
    let entries = entries(&bench.pool, bench.session_id).await;
    let expected = [b"first ".to_vec(), unseen, b"last".to_vec()].concat();
    assert_eq!(output(&entries), expected);
    assert!(!has_gap(&entries));
    let told = [
        Marker::Attach,
        Marker::Detach,
        Marker::Resume,
        Marker::Detach,
    ];
    assert_eq!(markers(&entries), told);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_leg_that_is_lost_while_nobody_is_attached_is_opened_anew(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (browser, _) = Browser::attach(&bench, None).await;
    leave(&bench.pool, bench.session_id, browser).await;
    let shown = noise(90_000);
    for piece in shown.chunks(30_000) {
        bench.keeper.print(piece);
        bench.keeper.break_legs();
    }
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    assert_eq!(output(&entries), shown);
    assert!(!has_gap(&entries));
    assert!(bench.keeper.shell.lock().unwrap().opens > 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_leg_that_its_terminal_gave_up_on_is_opened_anew_for_the_record(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.refuse();
    assert_eq!(browser.closed().await, 1011);
    bench.keeper.print(b"unseen");
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    assert_eq!(output(&entries), b"unseen");
    assert!(!has_gap(&entries));
    assert_eq!(markers(&entries), [Marker::Attach, Marker::Detach]);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_attach_that_comes_to_nothing_leaves_the_shell_to_the_record(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"seen ");
    browser.output(0, 5).await;
    leave(&bench.pool, bench.session_id, browser).await;
    // Of another shell than the one that lives: the keeper has given it the terminal by then.
    let resume = Resume {
        epoch: 9,
        output_offset: 5,
        input_offset: 0,
    };
    let mut browser = Browser::greet(&bench, Some(resume)).await;
    assert_eq!(browser.closed().await, 4013);
    bench.keeper.print(b"unseen");
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    assert_eq!(output(&entries), b"seen unseen");
    assert_eq!(bench.keeper.shell.lock().unwrap().asked_from, Some(5));
    assert!(!has_gap(&entries));
    let told = [
        Marker::Attach,
        Marker::Detach,
        Marker::Attach,
        Marker::Detach,
    ];
    assert_eq!(markers(&entries), told);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_attach_whose_authority_is_not_read_leaves_the_shell_to_the_record(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"seen ");
    browser.output(0, 5).await;
    // It is admitted as ever; from its commit on nothing can be read of any terminal.
    let hide = "
        CREATE FUNCTION hide_terminals() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN ALTER TABLE terminals RENAME TO terminals_out_of_reach; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER hide_terminals AFTER INSERT ON terminal_attachments
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hide_terminals()";
    bench.pool.execute(hide).await.unwrap();
    let mut second = Browser::greet(&bench, None).await;
    assert_eq!(second.closed().await, 1011);
    assert_eq!(
        browser.closed().await,
        4009,
        "it has lost its terminal to it"
    );
    bench.keeper.print(b"unseen");
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    assert_eq!(output(&entries), b"seen unseen");
    assert!(!has_gap(&entries));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_the_shell_forgot_while_no_process_read_it_is_a_gap_of_exactly_so_many_bytes(
    pool: PgPool,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::recording(pool, "fail_closed", spool(folder.path(), MIB)).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.print(b"kept");
    browser.output(0, 4).await;
    drop(browser);
    // No process that records: nobody reads what the shell prints.
    bench.restart(None).await;
    let printed = noise(500_000);
    bench.keeper.print(&printed);
    bench.keeper.shell.lock().unwrap().kept_from = 240_004;
    bench.restart(Some(spool(folder.path(), MIB))).await;
    let (browser, _) = Browser::attach(&bench, None).await;
    bench.keeper.exit();
    let entries = await_entries(&bench.pool, bench.session_id, has_exit).await;
    drop(browser);
    let gap = Entry::Gap(Gap {
        bytes: 240_000,
        reason: GapReason::Missed,
    });
    let gaps = entries.iter().filter(|it| matches!(it, Entry::Gap(_)));
    assert_eq!(gaps.collect::<Vec<_>>(), [&gap]);
    let expected = [b"kept", &printed[240_000..]].concat();
    assert!(output(&entries) == expected, "{}", output(&entries).len());
}
