//! A process that dies, and a database that is away, lose nothing that was durable.

use session_recording::{ExportFormat, Recorder, export, verify};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Builder;

use crate::support::{
    PATIENCE, entries, noise, output, place, segments, session, settings, tape, until,
};

/// Records `length` bytes from `from` in a process of its own that dies before anything is shipped,
/// and returns how far it was durable.
fn record_and_die(
    pool: &PgPool,
    spool: &std::path::Path,
    session: session_identity::ExamSessionId,
    (from, length): (u64, usize),
) -> session_recording::Place {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let options = pool.connect_options().as_ref().clone();
    let settings = settings(spool);
    let durable = runtime.block_on(async move {
        let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
        let recorder = Recorder::start(pool.clone(), settings).unwrap();
        let tape = tape(&recorder, session, 1).await;
        // From here on the database is away for this process.
        pool.close().await;
        tape.output(from, noise(from, length)).await.unwrap();
        tape.clone().close().await.unwrap();
        tape.recorded_to().unwrap()
    });
    // Ends every task wherever it is, as a kill would.
    runtime.shutdown_timeout(PATIENCE);
    // Its threads end when they have done what they were at; only then is the process dead.
    for life in std::fs::read_dir(spool).unwrap() {
        let lock = std::fs::File::open(life.unwrap().path().join("lock")).unwrap();
        lock.lock().unwrap();
    }
    durable
}

/// The one file that a dead process left.
fn left_file(spool: &std::path::Path) -> std::path::PathBuf {
    let life = std::fs::read_dir(spool).unwrap().next().unwrap();
    let files = std::fs::read_dir(life.unwrap().path()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let spooled = paths.filter(|path| path.extension().is_some_and(|end| end == "spool"));
    let [file] = &spooled.collect::<Vec<_>>()[..] else {
        panic!("there is not one file")
    };
    file.clone()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_a_dead_process_left_is_shipped_and_recording_goes_on_from_there(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let (dying, path) = (pool.clone(), spool.path().to_owned());
    let dead =
        tokio::task::spawn_blocking(move || record_and_die(&dying, &path, session, (0, 200_000)));
    let durable = dead.await.unwrap();
    assert_eq!(durable, place(1, 200_000));
    let shipped = output(&entries(&pool, session).await);
    assert!(shipped.is_empty(), "its database was away");

    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    assert_eq!(recorder.recorded_to(session).await.unwrap(), Some(durable));
    let tape = tape(&recorder, session, 1).await;
    // The keeper's ring is asked from there, and replays a little more than is needed.
    tape.output(199_000, noise(199_000, 2_000)).await.unwrap();
    recorder.drain(PATIENCE).await;
    let entries = entries(&pool, session).await;
    assert!(output(&entries) == noise(0, 201_000), "every byte once");
    let writers = segments(&pool, session).await;
    let writers = writers.iter().map(|segment| segment.header.writer);
    let mut writers: Vec<_> = writers.collect();
    writers.dedup();
    assert_eq!(writers.len(), 2, "one chain of two writers");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_record_cut_off_by_a_kill_is_found_and_the_rest_shipped(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let (dying, path) = (pool.clone(), spool.path().to_owned());
    let dead =
        tokio::task::spawn_blocking(move || record_and_die(&dying, &path, session, (0, 150_000)));
    dead.await.unwrap();
    let file = left_file(spool.path());
    let length = std::fs::metadata(&file).unwrap().len();
    let open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    open.set_len(length - 7).unwrap();

    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let whole = recorder.recorded_to(session).await.unwrap().unwrap();
    assert!(whole <= place(1, 150_000), "{whole:?}");
    let tape = tape(&recorder, session, 1).await;
    tape.output(0, noise(0, 160_000)).await.unwrap();
    recorder.drain(PATIENCE).await;
    let entries = entries(&pool, session).await;
    assert!(output(&entries) == noise(0, 160_000), "every byte once");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_record_damaged_in_the_middle_costs_itself_alone_and_is_told(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let (dying, path) = (pool.clone(), spool.path().to_owned());
    let dead =
        tokio::task::spawn_blocking(move || record_and_die(&dying, &path, session, (0, 300_000)));
    dead.await.unwrap();
    let file = left_file(spool.path());
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&file, bytes).unwrap();

    for start in ["the first", "one later"] {
        let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
        assert_eq!(recorder.health().damaged_files, 1, "{start}");
        let reached = recorder.recorded_to(session).await.unwrap();
        assert_eq!(reached, Some(place(1, 300_000)));
        assert_eq!(recorder.drain(PATIENCE).await.spooled_bytes, 0);
    }
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact, "{found:?}");
    let [gap] = &found.gaps[..] else {
        panic!("one gap: {found:?}")
    };
    assert_eq!(gap.reason, "damaged");
    assert!(gap.bytes <= 64 * 1024, "one record's: {gap:?}");
    let before = usize::try_from(gap.place.offset).unwrap();
    let after = gap.place.offset + gap.bytes;
    let rest = usize::try_from(300_000 - after).unwrap();
    let expected = [noise(0, before), noise(after, rest)].concat();
    assert!(
        output(&entries(&pool, session).await) == expected,
        "the rest is there"
    );
    let aside = format!("{}.damaged", file.display());
    assert!(std::path::Path::new(&aside).exists(), "nothing is deleted");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_the_next_file_has_whole_is_no_gap_of_a_damaged_one(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let (dying, path) = (pool.clone(), spool.path().to_owned());
    let dead =
        tokio::task::spawn_blocking(move || record_and_die(&dying, &path, session, (0, 300_000)));
    dead.await.unwrap();
    let file = left_file(spool.path());
    let mut bytes = std::fs::read(&file).unwrap();
    let length = u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let second = 12 + usize::try_from(length).unwrap();
    // After a sync that failed, the next file begins with what this one may have lost.
    let header = &bytes[second + 12..];
    let number = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().unwrap());
    let next = format!("{session}.1-{}-1-{}.spool", number(44), number(52));
    std::fs::write(file.with_file_name(next), &bytes[second..]).unwrap();
    bytes[second + 100] ^= 0x55;
    std::fs::write(&file, bytes).unwrap();

    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    assert_eq!(recorder.health().damaged_files, 1);
    assert_eq!(recorder.drain(PATIENCE).await.spooled_bytes, 0);
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact && found.gaps.is_empty(), "{found:?}");
    let entries = entries(&pool, session).await;
    assert!(output(&entries) == noise(0, 300_000), "every byte once");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn segments_that_were_shipped_before_a_kill_are_not_shipped_twice(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let (dying, path) = (pool.clone(), spool.path().to_owned());
    let dead =
        tokio::task::spawn_blocking(move || record_and_die(&dying, &path, session, (0, 90_000)));
    dead.await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    let life = std::fs::read_dir(spool.path()).unwrap().next().unwrap();
    let life = life.unwrap().path();
    let kept = copy.path().join(life.file_name().unwrap());
    std::fs::create_dir(&kept).unwrap();
    for file in std::fs::read_dir(&life).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), kept.join(file.file_name())).unwrap();
    }
    for spool in [spool.path(), copy.path()] {
        let recorder = Recorder::start(pool.clone(), settings(spool)).unwrap();
        assert_eq!(recorder.drain(PATIENCE).await.spooled_bytes, 0);
    }
    let entries = entries(&pool, session).await;
    assert!(output(&entries) == noise(0, 90_000), "every byte once");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_spool_of_a_session_that_nobody_knows_keeps_no_other_back(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let (lost, known) = (session(&pool).await, session(&pool).await);
    let (dying, path) = (pool.clone(), spool.path().to_owned());
    let dead = tokio::task::spawn_blocking(move || record_and_die(&dying, &path, lost, (0, 1_000)));
    dead.await.unwrap();
    // As after the restore of a database that is older than the session.
    let mut admin = pool.begin().await.unwrap();
    for forget in [
        sqlx::query!("SET LOCAL session_replication_role = replica"),
        sqlx::query!("DELETE FROM session_recordings"),
        sqlx::query!("DELETE FROM exam_sessions WHERE id = $1", lost.as_uuid()),
    ] {
        forget.execute(&mut *admin).await.unwrap();
    }
    admin.commit().await.unwrap();

    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let tape = tape(&recorder, known, 1).await;
    tape.output(0, "hello".into()).await.unwrap();
    tape.close().await.unwrap();
    until("the known session's segment", async || {
        !segments(&pool, known).await.is_empty()
    })
    .await;
    until("word of the lost session's", async || {
        recorder.health().refused_sessions == 1
    })
    .await;
    let left = recorder.drain(PATIENCE).await;
    assert!(left.spooled_bytes > 0, "the lost session's stays");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_processes_that_record_one_session_make_one_chain(pool: PgPool) {
    let spools = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |spool: &tempfile::TempDir| Recorder::start(pool.clone(), settings(spool.path()));
    let recorders = [start(&spools[0]).unwrap(), start(&spools[1]).unwrap()];
    let session = session(&pool).await;
    let tapes = [
        tape(&recorders[0], session, 1).await,
        tape(&recorders[1], session, 1).await,
    ];
    // A process that has been superseded may still hold what its successor asks for again.
    for (tape, from, to) in [
        (&tapes[0], 0, 150_000),
        (&tapes[1], 100_000, 250_000),
        (&tapes[0], 150_000, 200_000),
    ] {
        let length = usize::try_from(to - from).unwrap();
        tape.output(from, noise(from, length)).await.unwrap();
    }
    let drained = tokio::join!(recorders[0].drain(PATIENCE), recorders[1].drain(PATIENCE));
    assert_eq!(drained.0.spooled_bytes + drained.1.spooled_bytes, 0);
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact && found.gaps.is_empty(), "{found:?}");
    let mut bytes = Vec::new();
    let format = ExportFormat::Raw;
    export(&mut conn, session, format, &mut bytes)
        .await
        .unwrap();
    let expected = noise(0, 250_000);
    let same = bytes.iter().zip(&expected).take_while(|(a, b)| a == b);
    let (same, length) = (same.count(), bytes.len());
    assert_eq!((same, length), (250_000, 250_000), "every byte once");
}
