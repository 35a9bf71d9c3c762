//! What the browser sends to an attached terminal.

use std::time::Instant;

use bytes::Bytes;
use environment_access::wire::{ClientFrame, CloseCode, ServerFrame};
use futures_util::FutureExt as _;

use super::Terminal;
use crate::connection::browser::{Heard, hear};
use crate::screen_size::ScreenSize;

/// Frames heard before everything else is looked at again.
const TURN: usize = 32;

impl Terminal<'_> {
    /// Handles what has come by now, up to one turn of it.
    pub(super) fn hear_on(&mut self) -> Result<(), CloseCode> {
        for _ in 0..TURN {
            let Some(heard) = hear(&mut self.browser.messages).now_or_never() else {
                break;
            };
            self.heard(heard)?;
        }
        Ok(())
    }

    /// Handles what the browser sent.
    pub(super) fn heard(&mut self, heard: Heard) -> Result<(), CloseCode> {
        self.timers.heard(Instant::now());
        match heard {
            Heard::Frame(frame) => self.frame(frame),
            Heard::Ping(bytes) => {
                self.pong_due = Some(bytes);
                Ok(())
            }
            Heard::Pong => Ok(()),
            Heard::Gone => Err(CloseCode::GoingAway),
            Heard::Refused(code) => Err(code),
        }
    }

    fn frame(&mut self, frame: ClientFrame) -> Result<(), CloseCode> {
        match frame {
            ClientFrame::Input { offset, bytes } => self.typed(offset, &bytes),
            ClientFrame::Ack { offset } => self.parsed(offset),
            ClientFrame::Resize { columns, rows } => {
                self.resize.want(ScreenSize { columns, rows });
                Ok(())
            }
            ClientFrame::Ping { opaque } => {
                if self.pings.admits(Instant::now()) {
                    let leg_micros = self.leg_micros;
                    self.outbox
                        .control(&ServerFrame::Pong { opaque, leg_micros });
                }
                Ok(())
            }
            ClientFrame::Detach(_) => Err(CloseCode::GoingAway),
            ClientFrame::Hello(_) => Err(CloseCode::Protocol),
            ClientFrame::Ignored { .. } => Ok(()),
        }
    }

    fn typed(&mut self, offset: u64, bytes: &Bytes) -> Result<(), CloseCode> {
        self.traffic.received(bytes.len());
        self.echo_since.get_or_insert_with(Instant::now);
        self.input.accept(offset, bytes).map_err(|error| {
            tracing::info!(session.id = %self.attached.session_id, reason = %error,
                "a browser broke the protocol");
            error.close_code()
        })
    }

    fn parsed(&mut self, offset: u64) -> Result<(), CloseCode> {
        match self.outbox.ack(offset) {
            Ok(true) => {
                self.timers
                    .watch_stall(self.outbox.waits_at(), Instant::now());
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                tracing::info!(session.id = %self.attached.session_id, reason = %error,
                    "a browser broke the protocol");
                Err(CloseCode::Protocol)
            }
        }
    }
}
