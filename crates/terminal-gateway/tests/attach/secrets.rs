//! What is typed, and what lets somebody in, stands in no log line, however much is logged.

use std::io;
use std::sync::{LazyLock, Mutex};

use sqlx::PgPool;
use tracing_subscriber::EnvFilter;

use crate::bench::Bench;
use crate::browser::{Browser, open, request};

/// What must not be logged, and the lines that do.
static WATCHED: LazyLock<Mutex<(Vec<String>, Vec<String>)>> = LazyLock::new(Mutex::default);

/// Everything of the process itself; not what the clients of these tests say of themselves.
const LEVELS: &str =
    "trace,tungstenite=off,tokio_tungstenite=off,reqwest=off,hyper=off,hyper_util=off";

/// Keeps the lines that hold something watched.
struct Watch;

impl io::Write for Watch {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut watched = WATCHED.lock().unwrap();
        if watched.0.iter().any(|secret| text.contains(secret)) {
            watched.1.push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn watch(secret: &str) {
    WATCHED.lock().unwrap().0.push(secret.to_owned());
}

fn lines() -> Vec<String> {
    std::mem::take(&mut WATCHED.lock().unwrap().1)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_log_line_holds_what_is_typed_printed_or_shown_to_get_in(pool: PgPool) {
    let logging = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(LEVELS))
        .with_ansi(false)
        .with_writer(|| Watch);
    logging.init();
    let bench = Bench::start(pool).await;
    let token = bench.login();
    let (ticket, stolen) = (bench.ticket(&token).await, bench.ticket(&token).await);
    for secret in [
        &token,
        &ticket,
        &stolen,
        "canary-typed",
        "canary-printed",
        "canary-wrong",
    ] {
        watch(secret);
    }
    let mut browser = open(&bench, request(&bench, &token)).await.unwrap();
    browser.hello(&ticket, None).await;
    browser.next().await;
    browser.type_at(0, b"canary-typed").await;
    bench.keeper.print(b"canary-printed");
    browser.output(0, 26).await;
    // Refused ones are told more about than others.
    for (token, ticket) in [(bench.login(), stolen), (token, "canary-wrong".to_owned())] {
        let mut refused = open(&bench, request(&bench, &token)).await.unwrap();
        refused.hello(&ticket, None).await;
        assert_eq!(refused.closed().await, 4001);
    }
    let forged = format!("{}x", bench.login());
    watch(&forged);
    assert_eq!(
        open(&bench, request(&bench, &forged)).await.err(),
        Some(401)
    );
    bench.keeper.break_legs();
    Browser::attach(&bench, None).await;
    assert_eq!(lines(), Vec::<String>::new());
    tracing::trace!("canary-typed");
    assert_eq!(lines().len(), 1, "nothing was watched at all");
}
