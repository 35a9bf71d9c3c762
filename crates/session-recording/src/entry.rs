//! What a terminal did, one entry a moment.

use bytes::Bytes;

/// One moment of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Bytes from the shell. Their offset is implied: the sum of all output and gaps before them.
    Output(Bytes),
    /// The window got another size.
    Resize(WindowSize),
    /// Something about the terminal that is no byte of it.
    Marker(Marker),
    /// The shell ended.
    Exit(ExitStatus),
    /// Output that is not on record. It counts for the offset of what follows.
    Gap(Gap),
    /// Bytes to the shell, where the exam asks for them.
    Input(Bytes),
}

impl Entry {
    /// How far this entry moves the offset of output.
    pub fn advance(&self) -> u64 {
        match self {
            Self::Output(bytes) => bytes.len() as u64,
            Self::Gap(gap) => gap.bytes,
            Self::Resize(_) | Self::Marker(_) | Self::Exit(_) | Self::Input(_) => 0,
        }
    }
}

/// The size of a terminal's window, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Characters in a row.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// Something about a terminal that is no byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Marker {
    /// A browser attached.
    Attach = 1,
    /// The browser is gone; the shell goes on.
    Detach = 2,
    /// A browser came back to where it was.
    Resume = 3,
    /// Input waits: nothing that is typed reaches the shell.
    Freeze = 4,
    /// Input reaches the shell again.
    Thaw = 5,
    /// The recording is as long as one may be: nothing of what follows is kept.
    Full = 6,
}

impl Marker {
    /// Every marker.
    pub const ALL: [Self; 6] = [
        Self::Attach,
        Self::Detach,
        Self::Resume,
        Self::Freeze,
        Self::Thaw,
        Self::Full,
    ];

    /// The word that exports carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Resume => "resume",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Full => "full",
        }
    }
}

/// How a shell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    /// The one number that shells tell: the code, or 128 and the signal.
    pub const fn as_shell_status(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

/// Output that is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many bytes.
    pub bytes: u64,
    /// Why.
    pub reason: GapReason,
}

/// Why output is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GapReason {
    /// It was gone before a recorder saw it: nobody read the terminal for longer than it remembers.
    Missed = 1,
    /// The recorder could keep nothing more, and the exam's policy let the terminal go on.
    Unrecorded = 2,
    /// It was recorded, and the disk that held it gave something else back.
    Damaged = 3,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Missed, Self::Unrecorded, Self::Damaged];

    /// The word that documents and exports carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Unrecorded => "unrecorded",
            Self::Damaged => "damaged",
        }
    }
}
