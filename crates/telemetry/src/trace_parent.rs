//! W3C trace context, as it travels through jobs and requests.

use std::fmt;
use std::str::FromStr;

/// Reports a text that is not a `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a W3C traceparent: {reason}")]
pub struct TraceParentError {
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Names a position in a trace: `00-<32 hex>-<16 hex>-<2 hex>`.
///
/// Source: W3C Trace Context, §3.2 (`traceparent`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// Begins a new trace, sampled.
    pub fn new_root() -> Self {
        Self {
            trace: nonzero_u128(),
            span: nonzero_u64(),
            flags: 1,
        }
    }

    /// Reads a `traceparent` header. Later versions are read as far as this one goes, as the
    /// specification asks.
    pub fn parse(text: &str) -> Result<Self, TraceParentError> {
        let mut parts = text.trim().split('-');
        let version = hex(
            parts.next(),
            2,
            "the version is not two lowercase hex digits",
        )?;
        let trace = hex(
            parts.next(),
            32,
            "the trace id is not 32 lowercase hex digits",
        )?;
        let span = hex(
            parts.next(),
            16,
            "the parent id is not 16 lowercase hex digits",
        )?;
        let flags = hex(
            parts.next(),
            2,
            "the flags are not two lowercase hex digits",
        )?;
        let refuse = |reason| Err(TraceParentError { reason });
        match (version, trace, span) {
            (0xff, ..) => refuse("version ff is forbidden"),
            (0, ..) if parts.next().is_some() => refuse("version 00 has four parts"),
            (_, 0, _) => refuse("the trace id is zero"),
            (.., 0) => refuse("the parent id is zero"),
            _ => Ok(Self {
                trace,
                span: low_64(span),
                flags: low_64(flags).to_le_bytes()[0],
            }),
        }
    }

    /// Returns a new position in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span: nonzero_u64(),
            ..*self
        }
    }

    /// Returns the trace id alone, 32 hex digits: what logs and responses show.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.span, self.flags
        )
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        Self::parse(text)
    }
}

fn hex(part: Option<&str>, digits: usize, reason: &'static str) -> Result<u128, TraceParentError> {
    let lowercase_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    part.filter(|part| part.len() == digits && part.bytes().all(lowercase_hex))
        .and_then(|part| u128::from_str_radix(part, 16).ok())
        .ok_or(TraceParentError { reason })
}

/// Takes the low half of a number that has at most sixteen hex digits.
fn low_64(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn nonzero_u128() -> u128 {
    rand::random::<u128>().max(1)
}

fn nonzero_u64() -> u64 {
    rand::random::<u64>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specification_s_example_reads_and_prints_the_same() {
        let parent = TraceParent::parse(EXAMPLE).unwrap();
        assert_eq!(parent.to_string(), EXAMPLE);
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_child_stays_in_its_trace_at_another_position() {
        let parent = TraceParent::new_root();
        let child = parent.child();
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child, parent);
        assert_eq!(TraceParent::parse(&child.to_string()), Ok(child));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert_eq!(TraceParent::parse(later).unwrap().to_string(), EXAMPLE);
    }

    #[test]
    fn malformed_positions_are_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(TraceParent::parse(text).is_err(), "{text}");
        }
    }
}
