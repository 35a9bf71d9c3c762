#![doc = include_str!("../README.md")]

#[cfg(feature = "cli")]
pub mod cli;
mod codec;
mod draft;
mod entry;
mod export;
mod manifest;
mod place;
mod policy;
mod recorder;
mod replay;
mod segment;
mod spool;
mod store;
mod varint;
mod verify;

pub use codec::{Entries, EntryError, EntryProblem, TimedEntry, put_entry};
pub use entry::{Entry, ExitStatus, Gap, GapReason, Marker, WindowSize};
pub use export::{Export, ExportError, ExportFormat, Exported, export};
pub use manifest::{
    KeyFileError, KeyId, KeyPair, KeyProblem, Manifest, ManifestRecord, ManifestTextError,
    PublicKey, Signature, SignatureStatus, SignedManifest, SigningKey,
};
pub use place::Place;
pub use policy::RecordingPolicy;
pub use recorder::{
    Drained, OpenTapeError, PROCESS_QUEUE_BYTES, Recorder, RecorderHealth, RecorderSettings,
    SESSION_CEILING_BYTES, SESSION_QUEUE_BYTES, SessionTape, SpoolState, StartError, Tape,
    TapeError,
};
pub use replay::{Moment, ReadError, Replay, ReplayError, Seen};
pub use segment::{
    FIRST_HASH, Hash, LONGEST, MOST_RAW_BYTES, Segment, SegmentError, SegmentHeader,
};
pub use spool::SpoolFault;
pub use store::{
    RecordingFilter, RecordingSummary, count_old_recordings, delete_old_recordings,
    list_recordings, sign_closed_recordings,
};
pub use verify::{Broken, GapRecord, ShellRecord, Verification, verify, verify_signed};
