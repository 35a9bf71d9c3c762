//! A candidate whose page keeps both streams exact, however often it has to come back.

use std::time::Duration;

use bytes::Bytes;
use environment_access::wire::{ClientFrame, Resume, ServerFrame, Welcome, limits};
use futures_util::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::browser::{Browser, Came, PATIENCE};
use crate::seat::Seat;

/// How long a step waits for something to come.
pub(crate) const MOMENT: Duration = Duration::from_millis(20);

/// A page that types a script and keeps what it sees.
pub(crate) struct Steady {
    pub(crate) seat: Seat,
    /// Everything that is to be typed.
    pub(crate) script: Vec<u8>,
    /// Everything seen of the shell's output.
    pub(crate) seen: Vec<u8>,
    browser: Browser,
    epoch: u32,
    sent: usize,
    granted: u64,
    acked: usize,
}

impl Steady {
    pub(crate) async fn attach(seat: Seat, script: Vec<u8>) -> Self {
        let (browser, welcome) = Browser::attach(&seat, None).await;
        let mut steady = Self {
            seat,
            script,
            seen: Vec::new(),
            browser,
            epoch: welcome.epoch,
            sent: 0,
            granted: 0,
            acked: 0,
        };
        steady.welcomed(&welcome);
        steady
    }

    /// Lets go of the connection and comes back to the very place.
    pub(crate) async fn reconnect(&mut self) {
        self.seat.forget_tickets().await;
        let place = Resume {
            epoch: self.epoch,
            output_offset: self.seen.len() as u64,
            input_offset: self.sent as u64,
        };
        let (browser, welcome) = Browser::attach(&self.seat, Some(place)).await;
        self.browser = browser;
        assert_eq!(welcome.replay_from, self.seen.len() as u64);
        self.welcomed(&welcome);
    }

    fn welcomed(&mut self, welcome: &Welcome) {
        self.sent = usize::try_from(welcome.input_offset).unwrap();
        self.granted = welcome.input_offset + u64::from(welcome.input_window);
        self.acked = self.seen.len();
    }

    /// Types on, at most so many bytes, as far as the credit allows.
    pub(crate) async fn type_on(&mut self, most: usize) {
        let credit = usize::try_from(self.granted).unwrap() - self.sent;
        let most = most.min(credit).min(limits::MAX_INPUT);
        let end = self.script.len().min(self.sent + most);
        let frame = ClientFrame::Input {
            offset: self.sent as u64,
            bytes: Bytes::copy_from_slice(&self.script[self.sent..end]),
        };
        self.send(&frame).await;
        self.sent = end;
    }

    /// What cannot be sent is sent again after coming back.
    async fn send(&mut self, frame: &ClientFrame) {
        let message = Message::Binary(frame.encode());
        self.browser.socket.send(message).await.ok();
    }

    /// Takes in what comes, until nothing does for a moment; the code when it is a close.
    pub(crate) async fn look(&mut self) -> Option<u16> {
        while let Ok(came) = tokio::time::timeout(MOMENT, self.browser.next()).await {
            if let Some(code) = self.take(came).await {
                return Some(code);
            }
        }
        None
    }

    /// Takes in the next thing, if one comes within so long; the code when it is a close.
    pub(crate) async fn glance(&mut self, within: Duration) -> Option<u16> {
        match tokio::time::timeout(within, self.browser.next()).await {
            Ok(came) => self.take(came).await,
            Err(_) => None,
        }
    }

    /// Takes in what comes until so much of the output has been seen.
    pub(crate) async fn look_until(&mut self, length: usize) {
        while self.seen.len() < length {
            let came = tokio::time::timeout(PATIENCE, self.browser.next()).await;
            let code = self.take(came.expect("output comes")).await;
            assert_eq!(code, None, "closed before that");
        }
    }

    async fn take(&mut self, came: Came) -> Option<u16> {
        match came {
            Came::Frame(ServerFrame::Output { bytes }) => self.see(&bytes).await,
            Came::Frame(ServerFrame::InputAck { offset, credit }) => {
                self.granted = offset + u64::from(credit);
            }
            Came::Frame(_) => {}
            Came::Closed(code) => return Some(code),
            Came::Broken => return Some(1006),
        }
        None
    }

    async fn see(&mut self, bytes: &[u8]) {
        self.seen.extend_from_slice(bytes);
        if self.seen.len() - self.acked >= 1024 {
            self.acked = self.seen.len();
            let offset = self.acked as u64;
            self.send(&ClientFrame::Ack { offset }).await;
        }
    }

    /// Types the rest and sees the rest, and compares both with what the shell has on record.
    pub(crate) async fn finish(mut self) {
        while self.seat.keeper.typed().len() < self.script.len()
            || self.seen.len() < self.seat.keeper.printed().len()
        {
            self.type_on(usize::MAX).await;
            assert_eq!(self.look().await, None, "closed before the end");
        }
        let told = "bytes were lost or doubled";
        assert!(self.seat.keeper.typed() == self.script, "typed {told}");
        assert!(self.seat.keeper.printed() == self.seen, "printed {told}");
    }
}
