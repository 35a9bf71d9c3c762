//! The process itself, as it is installed: what it logs, and what an attack costs it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::{ConnectOptions as _, PgPool};
use tokio::io::AsyncWriteExt as _;

use crate::browser::{PATIENCE, open, request};
use crate::keeper::TestKeeper;
use crate::raw::{Raw, header};
use crate::rows::{ORIGIN, SECRET, insert_running};
use crate::seat::Seat;

/// Nobody listens there.
const NO_ENGINE: &str = "tcp://127.0.0.1:9";
/// Behind a header that announces more.
const ATTACK: usize = 20 * 1024 * 1024;
const ROUNDS: u64 = 20;
const MOST_KIB: u64 = 64;

/// A running `carrel-terminal`, ended when dropped.
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Starts it and waits until it says where it is reached.
    async fn start(pool: &PgPool) -> (Self, Seat) {
        let database = pool.connect_options().to_url_lossy();
        let mut child = Command::new(env!("CARGO_BIN_EXE_carrel-terminal"))
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--page-origin", ORIGIN, "--docker-host", NO_ENGINE])
            .args(["--log", "trace", "--log-format", "json"])
            .env("CARREL_DATABASE_URL", database.as_str())
            .env("CARREL_TOKEN_HS256_SECRET", SECRET)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn({
            let log = log.clone();
            move || {
                for line in lines.map_while(Result::ok) {
                    log.lock().unwrap().push_str(&line);
                }
            }
        });
        let process = Self { child, log };
        let seat = Seat {
            address: process.address().await.parse().unwrap(),
            session_id: insert_running(pool, "u-1").await,
            user: "u-1".to_owned(),
            network: None,
            keeper: TestKeeper::new(),
            http: reqwest::Client::new(),
            pool: pool.clone(),
        };
        (process, seat)
    }

    async fn address(&self) -> String {
        let said = async {
            loop {
                let log = self.log.lock().unwrap().clone();
                let before = log.split("terminals are served").nth(1);
                let address = before.and_then(|rest| rest.split("\"address\":\"").nth(1));
                if let Some((address, _)) = address.and_then(|rest| rest.split_once('"')) {
                    return address.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, said)
            .await
            .expect("it says where it listens")
    }

    fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn frames_that_announce_too_much_take_no_memory(pool: PgPool) {
    let (process, seat) = Process::start(&pool).await;
    let token = seat.login();
    let attack = vec![0; ATTACK];
    // What stays of the first ones is the process's own: threads, connections to the database.
    let mut before = 0;
    for round in 0..3 + ROUNDS {
        if round == 3 {
            before = process.resident_kib();
        }
        let mut raw = Raw::open(&seat, &token).await;
        raw.send(&header(0x82, 8, 600 << 20)).await;
        // It is cut off somewhere on the way.
        raw.stream.write_all(&attack).await.ok();
    }
    let grown = process.resident_kib().saturating_sub(before);
    assert!(grown <= ROUNDS * MOST_KIB, "{grown} KiB for {ROUNDS}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn its_own_log_holds_nothing_that_lets_anybody_in(pool: PgPool) {
    let (process, seat) = Process::start(&pool).await;
    let token = seat.login();
    let ticket = seat.ticket(&token).await;
    let mut browser = open(&seat, request(&seat, &token)).await.unwrap();
    browser.hello(&ticket, None).await;
    assert_eq!(browser.closed().await, 4032, "there is no engine");
    // What is read of its log comes a moment later.
    let said = async {
        while !process.log.lock().unwrap().contains("terminal attached") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said)
        .await
        .expect("it says that somebody is attached");
    let log = process.log.lock().unwrap().clone();
    assert!(log.contains("\"TRACE\""));
    for secret in [&token, &ticket, SECRET] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}
