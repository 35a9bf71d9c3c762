//! asciicast: a header line, then a line an event. Version 3 tells the time since the event before,
//! version 2 since the beginning; only version 3 has an event for the end of a shell.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::text::Carry;
use crate::entry::{Entry, WindowSize};
use crate::replay::{Moment, Seen};

/// A version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V3,
}

/// The size that a header tells where a recording does not begin with one.
const USUAL: WindowSize = WindowSize { cols: 80, rows: 24 };

/// Writes a recording's events.
#[derive(Debug)]
pub(super) struct Asciicast {
    version: Version,
    /// When the header says that it began, and when the last event was; nothing before the header.
    times: Option<(i64, i64)>,
    shell_epoch: u32,
    output: Carry,
    input: Carry,
}

impl Asciicast {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            times: None,
            shell_epoch: 0,
            output: Carry::default(),
            input: Carry::default(),
        }
    }

    pub(super) fn moment(&mut self, moment: &Moment, to: &mut dyn Write) -> io::Result<()> {
        let at = moment.at_micros;
        if self.times.is_none() {
            self.times = Some((at, at));
            self.shell_epoch = moment.place.shell_epoch;
            self.header(at, first_size(moment), to)?;
            if is_resize(moment) {
                return Ok(());
            }
        }
        if moment.place.shell_epoch > self.shell_epoch {
            self.shell_epoch = moment.place.shell_epoch;
            self.interrupted(at, to)?;
            self.event(at, "m", &format!("shell {}", self.shell_epoch), to)?;
        }
        match &moment.seen {
            Seen::Entry(entry) => self.entry(at, entry, to),
            Seen::Hole(bytes) => self.missing(at, *bytes, "hole", to),
        }
    }

    fn entry(&mut self, at: i64, entry: &Entry, to: &mut dyn Write) -> io::Result<()> {
        match entry {
            Entry::Output(bytes) => {
                let text = self.output.decode(bytes);
                self.text(at, "o", &text, to)
            }
            Entry::Input(bytes) => {
                let text = self.input.decode(bytes);
                self.text(at, "i", &text, to)
            }
            Entry::Resize(size) => self.event(at, "r", &format!("{}x{}", size.cols, size.rows), to),
            Entry::Marker(marker) => self.event(at, "m", marker.as_str(), to),
            Entry::Gap(gap) => self.missing(at, gap.bytes, gap.reason.as_str(), to),
            Entry::Exit(status) => {
                self.interrupted(at, to)?;
                let status = status.as_shell_status();
                match self.version {
                    Version::V3 => self.event(at, "x", &status.to_string(), to),
                    Version::V2 => self.event(at, "m", &format!("exit {status}"), to),
                }
            }
        }
    }

    fn missing(&mut self, at: i64, bytes: u64, why: &str, to: &mut dyn Write) -> io::Result<()> {
        self.interrupted(at, to)?;
        self.event(at, "m", &format!("gap: {bytes} bytes {why}"), to)
    }

    /// The rest of a character that was begun will not come.
    fn interrupted(&mut self, at: i64, to: &mut dyn Write) -> io::Result<()> {
        let text = self.output.flush();
        self.text(at, "o", &text, to)
    }

    pub(super) fn end(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let Some((_, last)) = self.times else {
            return Ok(());
        };
        self.interrupted(last, to)?;
        let text = self.input.flush();
        self.text(last, "i", &text, to)
    }

    fn header(&self, at: i64, size: WindowSize, to: &mut dyn Write) -> io::Result<()> {
        let (cols, rows) = (size.cols, size.rows);
        let timestamp = at.div_euclid(1_000_000);
        let header = match self.version {
            Version::V3 => {
                json!({"version": 3, "term": {"cols": cols, "rows": rows}, "timestamp": timestamp})
            }
            Version::V2 => {
                json!({"version": 2, "width": cols, "height": rows, "timestamp": timestamp})
            }
        };
        writeln!(to, "{header}")
    }

    fn text(&mut self, at: i64, code: &str, text: &str, to: &mut dyn Write) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.event(at, code, text, to)
    }

    fn event(&mut self, at: i64, code: &str, data: &str, to: &mut dyn Write) -> io::Result<()> {
        let (began, last) = self.times.unwrap_or((at, at));
        let since = match self.version {
            Version::V2 => at - began,
            Version::V3 => at - last,
        };
        self.times = Some((began, at));
        let (seconds, micros) = (since / 1_000_000, since % 1_000_000);
        let data = Value::from(data);
        writeln!(to, "[{seconds}.{micros:06}, \"{code}\", {data}]")
    }
}

fn is_resize(moment: &Moment) -> bool {
    matches!(moment.seen, Seen::Entry(Entry::Resize(_)))
}

fn first_size(moment: &Moment) -> WindowSize {
    match moment.seen {
        Seen::Entry(Entry::Resize(size)) => size,
        _ => USUAL,
    }
}
