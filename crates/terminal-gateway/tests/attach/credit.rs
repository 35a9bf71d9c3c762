//! Typed bytes beyond what was granted: refused beyond the window, slowed beyond the rate, never dropped.

use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use environment_access::wire::{ClientFrame, NoticeCode, ServerFrame, limits};
use sqlx::PgPool;

use crate::bench::Bench;
use crate::browser::{Browser, Came};
use crate::record::noise;

const WINDOW: usize = limits::INPUT_WINDOW as usize;

/// Cuts the terminal off from its shell, so that nothing typed is taken and no credit grows.
async fn lose_the_shell(bench: &Bench, browser: &mut Browser) {
    bench.keeper.is_away.store(true, Ordering::SeqCst);
    bench.keeper.break_legs();
    loop {
        match browser.next().await {
            Came::Frame(ServerFrame::Notice(notice)) if notice.code == NoticeCode::Frozen => return,
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn type_window(browser: &mut Browser, typed: &[u8]) {
    for (number, piece) in typed.chunks(limits::MAX_INPUT).enumerate() {
        let offset = (number * limits::MAX_INPUT) as u64;
        browser.type_at(offset, piece).await;
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn one_byte_beyond_the_window_ends_the_connection_and_reaches_nobody(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    lose_the_shell(&bench, &mut browser).await;
    type_window(&mut browser, &noise(WINDOW)).await;
    browser.type_at(WINDOW as u64, b"x").await;
    assert_eq!(browser.closed().await, 1002);
    assert_eq!(bench.keeper.typed(), b"");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_whole_window_is_taken_and_kept_until_the_shell_is_back(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    lose_the_shell(&bench, &mut browser).await;
    let typed = noise(WINDOW);
    type_window(&mut browser, &typed).await;
    bench.keeper.is_away.store(false, Ordering::SeqCst);
    assert!(browser.output(0, WINDOW).await == typed, "its echo");
    assert!(bench.keeper.typed() == typed);
}

/// A page that types as fast as it may, and counts what it was granted.
struct Flood {
    browser: Browser,
    sent: usize,
    granted: usize,
    seen: u64,
    is_throttled: bool,
}

impl Flood {
    async fn type_on(&mut self, script: &[u8]) {
        while self.sent < self.granted {
            let end = self.granted.min(self.sent + limits::MAX_INPUT);
            let frame = ClientFrame::Input {
                offset: self.sent as u64,
                bytes: Bytes::copy_from_slice(&script[self.sent..end]),
            };
            self.browser.send(frame).await;
            self.sent = end;
        }
    }

    /// Takes the next frame in; says up to where the shell has what was typed, if that is told.
    async fn look(&mut self) -> Option<usize> {
        match self.browser.next().await {
            Came::Frame(ServerFrame::InputAck { offset, credit }) => {
                let offset = usize::try_from(offset).unwrap();
                self.granted = offset + credit as usize;
                return Some(offset);
            }
            Came::Frame(ServerFrame::Output { bytes }) => {
                self.seen += bytes.len() as u64;
                let offset = self.seen;
                self.browser.send(ClientFrame::Ack { offset }).await;
            }
            Came::Frame(ServerFrame::Notice(notice)) => {
                assert_eq!(notice.code, NoticeCode::Throttled);
                assert_eq!(notice.text, "terminal.throttled");
                self.is_throttled = true;
            }
            Came::Frame(_) => {}
            other => panic!("{other:?}"),
        }
        None
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_page_that_types_without_end_is_told_so_and_granted_the_rate_and_loses_nothing(
    pool: PgPool,
) {
    let bench = Bench::start(pool).await;
    let script = noise(4 * 1024 * 1024);
    let began = Instant::now();
    let (browser, welcome) = Browser::attach(&bench, None).await;
    let mut flood = Flood {
        browser,
        sent: 0,
        granted: welcome.input_window as usize,
        seen: 0,
        is_throttled: false,
    };
    while !flood.is_throttled {
        flood.type_on(&script).await;
        flood.look().await;
        let rate = began.elapsed().as_secs_f64() * f64::from(limits::INPUT_RATE);
        let most = f64::from(limits::INPUT_BURST) + rate;
        let granted = f64::from(u32::try_from(flood.granted).unwrap());
        assert!(granted <= most, "{granted} of {most}");
    }
    // The burst is used up, but for less than is worth a frame.
    assert!(flood.sent > limits::INPUT_BURST as usize - 1024);
    let sent = flood.sent;
    while flood.look().await != Some(sent) {}
    assert!(
        bench.keeper.typed() == script[..sent],
        "in order, whole, once"
    );
}
