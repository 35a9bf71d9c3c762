//! Several writers' entries as one story.
//!
//! Writers overlap: who takes a terminal over asks for a little more than is missing, and what a dead
//! process recorded last arrives after what its successor recorded first. Of bytes that are there twice
//! the first are taken; a gap that another writer fills is none.

use session_identity::TerminalProcessId;

use super::strand::{Head, Strand};
use crate::entry::{Entry, Gap};
use crate::place::Place;

/// Something in a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, in microseconds since 1970 by the database's clock. Never goes back.
    pub at_micros: i64,
    /// Where: before it.
    pub place: Place,
    /// What.
    pub seen: Seen,
}

/// What is in a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An entry, or what was not there already of one.
    Entry(Entry),
    /// So many bytes that nobody recorded, and of which nobody says so: a segment is missing.
    Hole(u64),
}

/// What a merge has to say.
#[derive(Debug)]
pub(crate) enum Step {
    /// The next moment.
    Told(Moment),
    /// A writer's next segment is needed first.
    Hungry,
    /// There is nothing more.
    Over,
}

/// Puts the entries of several writers into one order.
#[derive(Debug)]
pub(crate) struct Merge {
    strands: Vec<Strand>,
    /// After everything that was told.
    place: Place,
    at_micros: i64,
}

impl Merge {
    pub(crate) fn new(writers: impl Iterator<Item = TerminalProcessId>) -> Self {
        Self {
            strands: writers.map(Strand::new).collect(),
            place: Place::default(),
            at_micros: i64::MIN,
        }
    }

    /// A writer whose next segment is needed before anything can be told.
    pub(crate) fn hungry(&mut self) -> Option<&mut Strand> {
        self.strands.iter_mut().find(|strand| strand.is_hungry())
    }

    /// Tells what comes next.
    pub(crate) fn next(&mut self) -> Step {
        // An entry of which all is known leads to the next one, maybe of a segment not at hand.
        while !self.strands.iter().any(Strand::is_hungry) {
            let shells = self.heads().map(|(_, head)| head.place.shell_epoch);
            let Some(shell_epoch) = shells.min() else {
                return Step::Over;
            };
            if shell_epoch != self.place.shell_epoch {
                self.place = Place {
                    shell_epoch,
                    offset: 0,
                };
            }
            let Some(strand) = self.within_reach() else {
                return Step::Told(self.pass_over());
            };
            if let Some(moment) = self.take(strand) {
                return Step::Told(moment);
            }
        }
        Step::Hungry
    }

    fn heads(&self) -> impl Iterator<Item = (usize, &Head)> {
        let heads = self.strands.iter().enumerate();
        heads.filter_map(|(index, strand)| Some((index, strand.head.as_ref()?)))
    }

    /// The heads of the shell that is being told.
    fn current(&self) -> impl Iterator<Item = (usize, &Head)> {
        let epoch = self.place.shell_epoch;
        self.heads()
            .filter(move |(_, head)| head.place.shell_epoch == epoch)
    }

    /// The earliest of what can be told without leaving anything out.
    fn within_reach(&self) -> Option<usize> {
        let offset = self.place.offset;
        let within = self.current().filter(|(_, head)| match head.entry {
            Entry::Gap(_) => head.end() <= offset,
            _ => head.place.offset <= offset,
        });
        let earliest = within.min_by_key(|(_, head)| head.at_micros);
        earliest.map(|(index, _)| index)
    }

    /// Tells an entry, as far as it was not told before.
    fn take(&mut self, strand: usize) -> Option<Moment> {
        let head = self.strands[strand].head.take()?;
        self.strands[strand].advance();
        let told = self.place.offset - head.place.offset.min(self.place.offset);
        let entry = match head.entry {
            Entry::Gap(_) => return None,
            Entry::Output(bytes) => {
                let told = usize::try_from(told).unwrap_or(usize::MAX).min(bytes.len());
                let rest = bytes.slice(told..);
                if rest.is_empty() {
                    return None;
                }
                Entry::Output(rest)
            }
            other => other,
        };
        let moment = self.moment(head.at_micros, Seen::Entry(entry));
        Some(moment)
    }

    /// Tells what is missing, up to where somebody knows more.
    fn pass_over(&mut self) -> Moment {
        let offset = self.place.offset;
        let gap = self.current().find_map(|(_, head)| match head.entry {
            Entry::Gap(gap) if head.place.offset <= offset => {
                Some((head.at_micros, head.end(), gap.reason))
            }
            _ => None,
        });
        let others = self
            .current()
            .map(|(_, head)| (head.place.offset, head.at_micros));
        let next = others.filter(|(begin, _)| *begin > offset).min();
        match (gap, next) {
            (Some((at, end, reason)), next) => {
                let end = next.map_or(end, |(begin, _)| begin.min(end));
                let bytes = end - offset;
                self.moment(at, Seen::Entry(Entry::Gap(Gap { bytes, reason })))
            }
            (None, Some((begin, at))) => self.moment(at, Seen::Hole(begin - offset)),
            (None, None) => {
                unreachable!("a head that is not within reach begins later or is a gap")
            }
        }
    }

    fn moment(&mut self, at_micros: i64, seen: Seen) -> Moment {
        self.at_micros = self.at_micros.max(at_micros);
        let moment = Moment {
            at_micros: self.at_micros,
            place: self.place,
            seen,
        };
        self.place.offset += match &moment.seen {
            Seen::Entry(entry) => entry.advance(),
            Seen::Hole(bytes) => *bytes,
        };
        moment
    }
}

#[cfg(test)]
mod tests;
