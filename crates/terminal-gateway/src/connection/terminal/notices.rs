//! What the page is told of its terminal beside what the shell prints.

use std::time::Instant;

use environment_access::OutageCause;
use environment_access::wire::{CloseCode, Mode, Notice, NoticeCode, ServerFrame, Welcome, limits};
use serde_json::{Map, Value};
use session_recording::Marker;

use super::Terminal;
use crate::connection::freeze::{Ended, Reason};
use crate::leg::Aside;

impl Terminal<'_> {
    pub(super) fn welcome(
        &self,
        output_offset: u64,
        input_offset: u64,
        replay_from: u64,
    ) -> ServerFrame {
        ServerFrame::Welcome(Welcome {
            epoch: self.shell_epoch,
            attach: self.attached.epoch,
            output_offset,
            input_offset,
            window: limits::OUTPUT_WINDOW,
            input_window: limits::INPUT_WINDOW,
            max_frame: u32::try_from(limits::MAX_CLIENT_MESSAGE).expect("a frame fits 32 bits"),
            ping_ms: u32::try_from(limits::CLIENT_PING_EVERY.as_millis()).expect("it is seconds"),
            remaining_ms: remaining_ms(*self.ends_at.borrow()),
            mode: Mode::Interactive,
            replay_from,
        })
    }

    pub(super) fn end_moved(&mut self, known: bool) -> Result<(), CloseCode> {
        if !known {
            return Err(CloseCode::Internal);
        }
        let remaining = remaining_ms(*self.ends_at.borrow_and_update());
        let args = [("remaining_ms".to_owned(), Value::from(remaining))];
        self.notice(
            NoticeCode::DeadlineMoved,
            "terminal.deadline_moved",
            args.into_iter().collect(),
        );
        Ok(())
    }

    pub(super) fn freeze_changed(&mut self, known: Result<(), Ended>) -> Result<(), CloseCode> {
        known.map_err(|Ended| CloseCode::Internal)?;
        let reason = self.freeze.reason();
        if self.frozen_for.is_some() != reason.is_some() {
            let marker = if reason.is_some() {
                Marker::Freeze
            } else {
                Marker::Thaw
            };
            self.leg.note(Aside::Marked(marker));
        }
        if reason.is_some() {
            self.frozen_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = self.frozen_since.take() {
            self.evidence.outage(OutageCause::InputFrozen, since);
        }
        if reason != std::mem::replace(&mut self.frozen_for, reason) {
            self.tell_frozen(reason.map(Reason::text));
        }
        Ok(())
    }

    /// Says why input waits, or that it waits no more.
    pub(super) fn tell_frozen(&mut self, why: Option<&str>) {
        match why {
            Some(text) => self.notice(NoticeCode::Frozen, text, Map::new()),
            None => self.notice(NoticeCode::Thawed, "terminal.thawed", Map::new()),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "every step of the loop answers alike"
    )]
    pub(super) fn drain(&mut self) -> Result<(), CloseCode> {
        self.timers.drain(Instant::now(), rand::random());
        self.notice(NoticeCode::Draining, "terminal.draining", Map::new());
        Ok(())
    }

    pub(super) fn notice(&mut self, code: NoticeCode, text: &str, args: Map<String, Value>) {
        let args = args.into_iter().collect();
        self.outbox.control(&ServerFrame::Notice(Notice {
            code,
            text: text.to_owned(),
            args,
        }));
    }
}

/// Time to an end in milliseconds; `None` while the clock has not started.
fn remaining_ms(end: Option<Instant>) -> Option<u64> {
    let remaining = end?.saturating_duration_since(Instant::now());
    Some(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX))
}
