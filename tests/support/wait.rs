//! Waiting: always for something, always with a deadline.

use std::time::Duration;

use tokio::time::Instant;

/// How long one step of a story may take on a busy machine with two processors.
pub const SOON: Duration = Duration::from_secs(90);
/// The startup budget of an exam and a margin for the sweep that enforces it.
pub const STARTUP: Duration = Duration::from_secs(195);

const PAUSE: Duration = Duration::from_millis(25);
/// Dropping a database, or environments; longer only where nothing answers any more.
const CLEAN_UP_LIMIT: Duration = Duration::from_mins(2);

/// Asks again and again until there is an answer, and panics with `what` when there is none.
pub async fn until<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} in vain: {what}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits for one future, and panics with `what` when it takes too long.
pub async fn in_time<T>(what: &str, within: Duration, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(within, work).await;
    done.unwrap_or_else(|_| panic!("waited {within:?} in vain: {what}"))
}

/// Runs cleaning up where no runtime is in the way; a failure there fails no test.
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the run should know what it left"
)]
pub fn on_own_thread<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let ended = runtime
            .expect("a runtime")
            .block_on(async { tokio::time::timeout(CLEAN_UP_LIMIT, work()).await });
        // The next run finds what is left.
        if ended.is_err() {
            eprintln!("cleaning up took longer than {CLEAN_UP_LIMIT:?} and was given up");
        }
    });
    // Its panic was printed; a second one while dropping would abort the run.
    thread.join().ok();
}
