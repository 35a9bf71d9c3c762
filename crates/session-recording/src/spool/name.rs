//! Names of spool files: whose they are, and where the first record in them belongs.

use session_identity::ExamSessionId;

use crate::place::Place;

const SUFFIX: &str = ".spool";

/// Where a record belongs among those of one life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// Its number.
    pub(crate) seq: u64,
    /// Where its output begins.
    pub(crate) place: Place,
}

/// A spool file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) session_id: ExamSessionId,
    /// Its number among the session's files of one life.
    pub(super) number: u32,
    /// What its first record is; nothing where an older version named it.
    pub(super) start: Option<Start>,
}

impl FileName {
    /// Reads `<session>.<number>-<seq>-<epoch>-<offset>.spool`, or an older version's `<session>.spool`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(SUFFIX)?;
        let (session_id, rest) = stem.split_once('.').unwrap_or((stem, ""));
        let session_id = session_id.parse().ok()?;
        if rest.is_empty() {
            return Some(Self {
                session_id,
                number: 0,
                start: None,
            });
        }
        let mut parts = rest.splitn(4, '-');
        let number = parts.next()?.parse().ok()?;
        let start = Start {
            seq: parts.next()?.parse().ok()?,
            place: Place {
                shell_epoch: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
            },
        };
        Some(Self {
            session_id,
            number,
            start: Some(start),
        })
    }
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.session_id)?;
        if let Some(Start { seq, place }) = &self.start {
            let (epoch, offset) = (place.shell_epoch, place.offset);
            write!(f, ".{}-{seq}-{epoch}-{offset}", self.number)?;
        }
        f.write_str(SUFFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_those_of_older_versions_too() {
        let session_id = ExamSessionId::generate();
        let start = Start {
            seq: 7,
            place: Place {
                shell_epoch: 2,
                offset: 9,
            },
        };
        for start in [None, Some(start)] {
            let name = FileName {
                session_id,
                number: start.map_or(0, |_| 3),
                start,
            };
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
        for other in ["lock", "x.spool", &format!("{session_id}.1-2.spool")] {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }
}
