//! A process killed by the kernel while it records.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use session_identity::ExamSessionId;
use session_recording::{ExportFormat, Place, Recorder, export, verify};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};

use crate::support::{PATIENCE, noise, place, session, settings, tape};

/// Says to this very program that it is the one to be killed: its database, spool and session.
const VICTIM: &str = "SESSION_RECORDING_VICTIM";

/// Does nothing in a run of the tests. Started by the test below it records until it is killed, and
/// says on stdout how far it is durable.
#[tokio::test]
async fn records_until_it_is_killed() {
    let Some(told) = std::env::var_os(VICTIM) else {
        return;
    };
    let told = told.into_string().unwrap();
    let [url, spool, session] = told.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{VICTIM} names a database, a spool and a session");
    };
    let options: PgConnectOptions = url.parse().unwrap();
    let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
    let recorder = Recorder::start(pool, settings(spool.as_ref())).unwrap();
    let session: ExamSessionId = session.parse().unwrap();
    let tape = tape(&recorder, session, 1).await;
    let mut offset = 0;
    loop {
        tape.output(offset, noise(offset, 3_000)).await.unwrap();
        offset += 3_000;
        let durable = tape.recorded_to().unwrap();
        println!("\ndurable {}", durable.offset);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Starts the victim, and kills it once it has come as far as `far`.
fn killed_at(pool: &PgPool, spool: &std::path::Path, session: ExamSessionId, far: u64) -> Place {
    let url = pool.connect_options().to_url_lossy();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::records_until_it_is_killed", "--nocapture"])
        .env(VICTIM, format!("{url}\n{}\n{session}", spool.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let offsets = lines.map_while(Result::ok);
    let mut offsets = offsets.filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
    let durable = offsets.find(|offset: &u64| *offset >= far);
    victim.kill().unwrap();
    // What it said before the kill counts too.
    let durable = offsets.last().or(durable);
    victim.wait().unwrap();
    place(1, durable.expect("it came so far before it ended"))
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn nothing_that_was_durable_is_lost_by_kills_at_any_moment(pool: PgPool) {
    let spool = tempfile::tempdir().unwrap();
    let session = session(&pool).await;
    let mut least = place(1, 0);
    for far in [1, 200_000, 500_000] {
        let (dying, path) = (pool.clone(), spool.path().to_owned());
        let killed = tokio::task::spawn_blocking(move || killed_at(&dying, &path, session, far));
        least = least.max(killed.await.unwrap());
    }
    let recorder = Recorder::start(pool.clone(), settings(spool.path())).unwrap();
    let recorded = recorder.recorded_to(session).await.unwrap().unwrap();
    assert!(recorded >= least, "{recorded:?}, and {least:?} was durable");
    assert_eq!(recorder.drain(PATIENCE).await.spooled_bytes, 0);
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact && found.gaps.is_empty(), "{found:?}");
    let mut bytes = Vec::new();
    export(&mut conn, session, ExportFormat::Raw, &mut bytes)
        .await
        .unwrap();
    assert_eq!(bytes.len() as u64, recorded.offset);
    assert!(bytes == noise(0, bytes.len()), "every byte once");
}
