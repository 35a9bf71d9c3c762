//! Where recordings wait for the database.

use std::path::PathBuf;

use clap::Args;
use session_identity::TerminalProcessId;
use session_recording::{
    KeyFileError, PROCESS_QUEUE_BYTES, Recorder, RecorderSettings, SESSION_CEILING_BYTES,
    SigningKey,
};
use telemetry::metrics::Metric;

const MIB: u64 = 1024 * 1024;

/// The spool, as the command line names it.
#[derive(Debug, Args)]
pub(crate) struct RecordingArgs {
    /// Folder on a local disk where recordings wait for the database; it outlives the process. Without
    /// one, exams that must be recorded are refused.
    #[arg(long, env = "CARREL_RECORDING_SPOOL", value_name = "DIR")]
    recording_spool: Option<PathBuf>,

    /// What may wait there, in MiB; above 90 % no new terminal opens that must be recorded.
    #[arg(
        long,
        env = "CARREL_RECORDING_SPOOL_MIB",
        default_value_t = 1024,
        value_name = "MIB",
        value_parser = clap::value_parser!(u64).range(1..=1_048_576)
    )]
    recording_spool_mib: u64,

    /// Private key, Ed25519 in PEM, with which this process signs recordings as it closes them. Without one
    /// they stay unsigned. The file is its owner's alone to read, or root's and its group's.
    #[arg(
        long = "recording-signing-key-file",
        env = "CARREL_RECORDING_SIGNING_KEY_FILE",
        value_name = "FILE",
        requires = "recording_spool"
    )]
    signing_key_file: Option<PathBuf>,
}

/// A spool.
#[derive(Debug, Clone)]
pub struct RecordingSpool {
    /// The folder.
    pub folder: PathBuf,
    /// Bytes that may wait there.
    pub limit_bytes: u64,
    /// Signs what is closed.
    pub signing_key: Option<SigningKey>,
}

impl RecordingArgs {
    /// Reads the key, so that a wrong one is told at the start and not after the first exam.
    pub(crate) fn spool(self) -> Result<Option<RecordingSpool>, KeyFileError> {
        let limit_bytes = self.recording_spool_mib * MIB;
        let signing_key = self.signing_key_file.as_deref();
        let signing_key = signing_key.map(SigningKey::from_file).transpose()?;
        Ok(self.recording_spool.map(|folder| RecordingSpool {
            folder,
            limit_bytes,
            signing_key,
        }))
    }
}

impl RecordingSpool {
    pub(crate) fn settings(self, writer: TerminalProcessId) -> RecorderSettings {
        RecorderSettings {
            writer,
            spool_dir: self.folder,
            spool_limit_bytes: self.limit_bytes,
            queue_bytes: PROCESS_QUEUE_BYTES,
            session_ceiling_bytes: SESSION_CEILING_BYTES,
            signing_key: self.signing_key,
        }
    }
}

/// Sets the gauges of what waits here.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge of bytes is read in mebibytes"
)]
pub(crate) fn show_health(recorder: &Recorder) {
    let health = recorder.health();
    let waits = health.spooled_bytes as f64;
    Metric::RecordingSpoolBytes.set(waits, &[]);
    Metric::RecordingSpoolUse.set(waits / health.spool_limit_bytes as f64, &[]);
    Metric::RecordingRefused.set(f64::from(health.fault.is_some()), &[]);
    Metric::RecordingDamagedFiles.set(health.damaged_files as f64, &[]);
    Metric::RecordingFullSessions.set(health.full_sessions as f64, &[]);
    Metric::RecordingRejectedSessions.set(health.refused_sessions as f64, &[]);
    Metric::RecordingUnsigned.set(health.unsigned_recordings as f64, &[]);
    let unshipped = health.not_shipped_for.unwrap_or_default();
    Metric::RecordingUnshippedSeconds.set(unshipped.as_secs_f64(), &[]);
}
