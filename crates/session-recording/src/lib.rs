#![doc = include_str!("../README.md")]

mod codec;
mod draft;
mod entry;
mod place;
mod policy;
mod recorder;
mod segment;
mod spool;
mod store;
mod varint;

pub use codec::{Entries, EntryError, EntryProblem, TimedEntry, put_entry};
pub use entry::{Entry, ExitStatus, Gap, GapReason, Marker, WindowSize};
pub use place::Place;
pub use policy::RecordingPolicy;
pub use recorder::{
    Drained, OpenTapeError, PROCESS_QUEUE_BYTES, Recorder, RecorderHealth, RecorderSettings,
    SESSION_QUEUE_BYTES, SessionTape, SpoolState, StartError, Tape, TapeError,
};
pub use segment::{
    FIRST_HASH, Hash, LONGEST, MOST_RAW_BYTES, Segment, SegmentError, SegmentHeader,
};
pub use spool::SpoolFault;
