//! A recorded shell whose reader ends, however it does, is read on by another process; by one only, and
//! never in a candidate's way.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use environment_access::wire::Resume;
use execution_environment::{AttachStreams, EnvironmentRuntime, RuntimeError, RuntimeName};
use session_identity::ExamSessionId;
use session_recording::{Entry, ExitStatus, ExportFormat, Marker, export, verify};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::bench::{Bench, apart, start_gateway_into, start_observed_reader, start_reader};
use crate::browser::{Browser, PATIENCE};
use crate::door::{Door, OnlyAttaches, not_there};
use crate::keeper::KeeperDoor;
use crate::record::{MIB, await_entries, await_shipped, entries, markers, noise, output, spool};
use crate::seat::Seat;
use crate::shell::{Keeper, reached_by, seat_at};

/// Says to this very program that it is the one to be killed: its database, spool and keeper.
const VICTIM: &str = "TERMINAL_GATEWAY_VICTIM";
/// However slow the machine is: a living process that loses a shell by it does no harm.
const SHORT: Duration = Duration::from_secs(1);
/// Longer than a living process says nothing, and short enough to wait for what it claimed and forgot.
const A_WHILE: Duration = Duration::from_secs(20);
/// Nobody waits for this one.
const LONG: Duration = Duration::from_hours(1);

const BEGIN: &[u8] = b"begin\r\n";
/// Fewer than what a keeper keeps, so that no byte has to be read in time.
const LINES: u32 = 12_000;
/// What it prints before it is told to go on.
const FIRST: u32 = 9_000;
const EXIT: Entry = Entry::Exit(ExitStatus::Code(7));

/// A shell that says that it is there, and once it may prints a little at a time, no two lines alike.
fn prints() -> String {
    let wait = |file: &str| format!("until [ -e {file} ]; do sleep 0.05; done");
    let program = format!(
        "BEGIN{{x=1;for(i=0;i<{LINES};i++){{x=x*16807%2147483647;printf \"%010d\\n\",x;\
         if(i%300==0)system(\"sleep 0.02\");if(i=={FIRST})system(\"{}\")}}}}",
        wait("rest")
    );
    format!("echo begin; {}; awk '{program}'; exit 7", wait("go"))
}

/// Everything that it prints. The generator is Lehmer's, small enough for awk's numbers.
fn printed() -> Vec<u8> {
    let mut value: u64 = 1;
    let mut text = BEGIN.to_vec();
    for _ in 0..LINES {
        value = value * 16807 % 2_147_483_647;
        text.extend_from_slice(format!("{value:010}\r\n").as_bytes());
    }
    text
}

fn tell(keeper: &Keeper, file: &str) {
    std::fs::write(keeper.folder().join(file), "").unwrap();
}

/// Attaches, and leaves the shell to its reader.
async fn begin_and_leave(seat: &Seat) {
    let (mut browser, _) = Browser::attach(seat, None).await;
    assert_eq!(browser.output(0, BEGIN.len()).await, BEGIN);
    drop(browser);
    detached(seat, 1).await;
}

/// Waits until so many readers have said that nobody is attached.
async fn detached(seat: &Seat, readers: usize) {
    let detaches = |entries: &[Entry]| {
        let markers = markers(entries).into_iter();
        markers.filter(|it| *it == Marker::Detach).count()
    };
    await_entries(&seat.pool, seat.session_id, |it| detaches(it) >= readers).await;
}

/// Comes back to where the first words ended.
async fn come_back(seat: &Seat) -> Browser {
    let resume = Resume {
        epoch: 1,
        output_offset: BEGIN.len() as u64,
        input_offset: 0,
    };
    let (browser, welcome) = Browser::attach(seat, Some(resume)).await;
    assert_eq!(welcome.replay_from, BEGIN.len() as u64);
    browser
}

/// Waits for the exit, and finds all that was printed on record: once, whoever wrote it, without a gap.
async fn assert_recorded_once(seat: &Seat) {
    await_entries(&seat.pool, seat.session_id, |it| it.contains(&EXIT)).await;
    let told = async {
        loop {
            let (bytes, gaps) = replayed(&seat.pool, seat.session_id).await;
            // Another writer may still ship what it has.
            if gaps == 0 && bytes.len() == printed().len() {
                return bytes;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let bytes = tokio::time::timeout(PATIENCE, told).await;
    assert!(bytes.expect("all of it is on record in time") == printed());
}

/// What a replay tells, and how many gaps it tells of.
async fn replayed(pool: &PgPool, session: ExamSessionId) -> (Vec<u8>, usize) {
    let mut conn = pool.acquire().await.unwrap();
    let found = verify(&mut conn, session).await.unwrap().unwrap();
    assert!(found.is_intact, "{found:?}");
    let mut bytes = Vec::new();
    export(&mut conn, session, ExportFormat::Raw, &mut bytes)
        .await
        .unwrap();
    (bytes, found.gaps.len())
}

/// Does nothing in a run of the tests. Started by the test below it serves terminals until it is killed.
#[tokio::test]
async fn reads_until_it_is_killed() {
    let Some(told) = std::env::var_os(VICTIM) else {
        return;
    };
    let told = told.into_string().unwrap();
    let [url, folder, socket] = told.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{VICTIM} names a database, a spool and a socket");
    };
    let options: PgConnectOptions = url.parse().unwrap();
    let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
    let spool = spool(folder.as_ref(), MIB);
    let runtime = reached_by(socket.into());
    let ((address, ..), admin) = start_observed_reader(&pool, runtime, spool, SHORT).await;
    println!("\nserves {address} {admin}");
    std::future::pending::<()>().await;
}

/// A terminal process of its own, killed at the latest with the test.
pub(crate) struct Victim {
    process: Child,
    /// Where it serves terminals.
    pub(crate) address: SocketAddr,
    /// Where its metrics are.
    pub(crate) admin: SocketAddr,
}

impl Victim {
    pub(crate) async fn start(pool: &PgPool, spool: &Path, keeper: &Keeper) -> Self {
        let url = pool.connect_options().to_url_lossy();
        let (spool, socket) = (spool.display(), keeper.socket());
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "read_on::reads_until_it_is_killed",
                "--nocapture",
            ])
            .env(VICTIM, format!("{url}\n{spool}\n{}", socket.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // Dropped, and with it killed, where it says nothing.
        let unheard = ([0, 0, 0, 0], 0).into();
        let mut victim = Self {
            process,
            address: unheard,
            admin: unheard,
        };
        let told = tokio::task::spawn_blocking(move || {
            let mut lines = lines.map_while(Result::ok);
            lines.find_map(|line| Some(line.strip_prefix("serves ")?.to_owned()))
        });
        let told = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
        let told = told.expect("it says where it serves");
        let (address, admin) = told.split_once(' ').unwrap();
        victim.address = address.parse().unwrap();
        victim.admin = admin.parse().unwrap();
        victim
    }

    /// As the kernel does it.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Fails where it was killed before.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_shell_whose_reader_is_killed_while_it_prints_is_recorded_on_without_a_gap(pool: PgPool) {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (keeper, pool) = (Keeper::start(&prints()).await, apart(&pool));
    let mut victim = Victim::start(&pool, folder.path(), &keeper).await;
    let seat = seat_at(pool, victim.address, "fail_closed").await;
    begin_and_leave(&seat).await;
    tell(&keeper, "go");
    await_shipped(&seat.pool, 10_000).await;
    victim.kill();
    let spool = spool(other.path(), MIB);
    let _heir = start_reader(&seat.pool, keeper.runtime(), spool, SHORT).await;
    tell(&keeper, "rest");
    assert_recorded_once(&seat).await;
    let entries = entries(&seat.pool, seat.session_id).await;
    let told = [Marker::Attach, Marker::Detach, Marker::Detach];
    assert_eq!(markers(&entries), told, "nobody else has attached");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_a_process_leaves_when_it_is_drained_is_read_on_without_waiting_for_its_lease(
    pool: PgPool,
) {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (keeper, pool) = (Keeper::start(&prints()).await, apart(&pool));
    let own = spool(folder.path(), MIB);
    let (address, stop, ended) = start_reader(&pool, keeper.runtime(), own, LONG).await;
    let seat = seat_at(pool, address, "fail_closed").await;
    begin_and_leave(&seat).await;
    tell(&keeper, "go");
    await_shipped(&seat.pool, 10_000).await;
    stop.cancel();
    ended.await.unwrap();
    let spool = spool(other.path(), MIB);
    let _heir = start_reader(&seat.pool, keeper.runtime(), spool, A_WHILE).await;
    tell(&keeper, "rest");
    assert_recorded_once(&seat).await;
}

/// Leads to a keeper, but not before it may.
#[derive(Debug)]
struct HeldDoor {
    keeper: std::path::PathBuf,
    /// Whether it is shut, and how many stand before it.
    shut: watch::Sender<bool>,
    waiting: watch::Sender<u32>,
}

#[async_trait]
impl Door for HeldDoor {
    async fn open(&self, _: &RuntimeName) -> Result<AttachStreams, RuntimeError> {
        self.waiting.send_modify(|count| *count += 1);
        self.shut.subscribe().wait_for(|shut| !shut).await.unwrap();
        let socket = UnixStream::connect(&self.keeper).await;
        let (reader, writer) = socket.map_err(|_| not_there("attach"))?.into_split();
        Ok(AttachStreams {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_who_attaches_while_a_process_takes_over_has_the_shell(pool: PgPool) {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (keeper, pool) = (Keeper::start(&prints()).await, apart(&pool));
    let [first, heirs, last] = folders.each_ref().map(|it| spool(it.path(), MIB));
    let (address, stop, ended) = start_reader(&pool, keeper.runtime(), first, LONG).await;
    let mut seat = seat_at(pool, address, "fail_closed").await;
    begin_and_leave(&seat).await;
    stop.cancel();
    ended.await.unwrap();
    let (shut, waiting) = (watch::channel(true).0, watch::channel(0).0);
    let door = Arc::new(OnlyAttaches(HeldDoor {
        keeper: keeper.socket(),
        shut: shut.clone(),
        waiting: waiting.clone(),
    }));
    let _heir = start_reader(&seat.pool, door, heirs, A_WHILE).await;
    let under_way = async {
        waiting
            .subscribe()
            .wait_for(|count| *count > 0)
            .await
            .map(drop)
    };
    tokio::time::timeout(PATIENCE, under_way)
        .await
        .expect("it is about to take over")
        .unwrap();
    let (address, ..) = start_gateway_into(&apart(&seat.pool), keeper.runtime(), Some(last)).await;
    seat.address = address;
    let mut browser = come_back(&seat).await;
    shut.send_replace(false);
    tell(&keeper, "go");
    tell(&keeper, "rest");
    let rest = printed().split_off(BEGIN.len());
    assert!(browser.output(BEGIN.len() as u64, rest.len()).await == rest);
    assert_eq!(browser.closed().await, 1000);
    assert_recorded_once(&seat).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_takes_the_shell_from_whoever_read_it_on(pool: PgPool) {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (keeper, pool) = (Keeper::start(&prints()).await, apart(&pool));
    let [first, heirs, last] = folders.each_ref().map(|it| spool(it.path(), MIB));
    let (address, stop, ended) = start_reader(&pool, keeper.runtime(), first, LONG).await;
    let mut seat = seat_at(pool, address, "fail_closed").await;
    begin_and_leave(&seat).await;
    stop.cancel();
    ended.await.unwrap();
    let _heir = start_reader(&seat.pool, keeper.runtime(), heirs, A_WHILE).await;
    tell(&keeper, "go");
    detached(&seat, 2).await;
    let (address, ..) = start_gateway_into(&apart(&seat.pool), keeper.runtime(), Some(last)).await;
    seat.address = address;
    let mut browser = come_back(&seat).await;
    tell(&keeper, "rest");
    let rest = printed().split_off(BEGIN.len());
    assert!(browser.output(BEGIN.len() as u64, rest.len()).await == rest);
    assert_eq!(browser.closed().await, 1000);
    assert_recorded_once(&seat).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_who_is_attached_where_the_database_is_not_reached_loses_nothing_to_a_reader(
    pool: PgPool,
) {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keeper = Keeper::start(&prints()).await;
    // It never says that it reads.
    let own = spool(folder.path(), MIB);
    let (seat, _running) = keeper.seat(&pool, "fail_closed", Some(own)).await;
    let (mut browser, _) = Browser::attach(&seat, None).await;
    assert_eq!(browser.output(0, BEGIN.len()).await, BEGIN);
    sqlx::query!("UPDATE terminals SET reader_until = clock_timestamp()")
        .execute(&seat.pool)
        .await
        .unwrap();
    let heirs = spool(other.path(), MIB);
    let _heir = start_reader(&seat.pool, keeper.runtime(), heirs, SHORT).await;
    let given_way = async {
        let waits = || {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "shells!" FROM terminals
                   WHERE reader_id IS NULL AND reader_until > clock_timestamp()"#
            )
        };
        while waits().fetch_one(&seat.pool).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, given_way)
        .await
        .expect("the reader has met the candidate's terminal");
    tell(&keeper, "go");
    tell(&keeper, "rest");
    let rest = printed().split_off(BEGIN.len());
    assert!(browser.output(BEGIN.len() as u64, rest.len()).await == rest);
    assert_eq!(browser.closed().await, 1000);
    assert_recorded_once(&seat).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn two_processes_that_race_for_twenty_shells_read_each_of_them_once(pool: PgPool) {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, one, two] = folders.each_ref().map(|it| spool(it.path(), MIB));
    let mut bench = Bench::recording(pool, "fail_closed", first).await;
    let mut seats = Vec::new();
    for number in 0..20 {
        let seat = bench
            .seat_of(&format!("one-of-twenty-{number}"), "fail_closed")
            .await;
        let (mut browser, _) = Browser::attach(&seat, None).await;
        seat.keeper.print(b"seen ");
        browser.output(0, 5).await;
        seats.push(seat);
    }
    for seat in &seats {
        detached(seat, 1).await;
    }
    bench.stop.cancel();
    (&mut bench.ended).await.unwrap();
    let runtime = || -> Arc<dyn EnvironmentRuntime> {
        Arc::new(OnlyAttaches(KeeperDoor(bench.keeper.clone())))
    };
    let _racing = tokio::join!(
        start_reader(&bench.pool, runtime(), one, A_WHILE),
        start_reader(&bench.pool, runtime(), two, A_WHILE),
    );
    let unseen = noise(5_000);
    for seat in &seats {
        seat.keeper.print(&unseen);
        seat.keeper.exit();
    }
    let exit = Entry::Exit(ExitStatus::Code(3));
    for seat in &seats {
        let entries = await_entries(&seat.pool, seat.session_id, |it| it.contains(&exit)).await;
        assert_eq!(
            output(&entries),
            [b"seen ".to_vec(), unseen.clone()].concat()
        );
        assert_eq!(
            seat.keeper.shell.lock().unwrap().opens,
            2,
            "one has read on"
        );
    }
}
