//! Opening a leg: the exec, then OPEN.

use std::time::Duration;

use carrel_keeper::frames::{Open, Resume};
use carrel_keeper::{ClientFrame, Frame as _};
use execution_environment::AttachStreams;
use tokio::io::AsyncWriteExt as _;

use super::{LegEnd, LegSpec};
use crate::screen_size::ScreenSize;

/// How long the exec may take to start: the page shows "connecting" meanwhile, and retries.
const START_WITHIN: Duration = Duration::from_secs(10);

/// Starts the exec and sends OPEN. The keeper's answer is the first frame the pump reads.
pub(super) async fn open(
    spec: &LegSpec,
    size: ScreenSize,
    resume: Option<Resume>,
) -> Result<AttachStreams, LegEnd> {
    let mut streams = match tokio::time::timeout(START_WITHIN, spec.attach()).await {
        Ok(Ok(streams)) => streams,
        Ok(Err(error)) => return Err(LegEnd::NotStarted(error)),
        Err(_) => return Err(LegEnd::Lost("the exec did not start in time")),
    };
    let open = Open {
        epoch: spec.epoch,
        cols: size.columns,
        rows: size.rows,
        resume,
    };
    let frame = ClientFrame::Open(open).to_bytes().expect("OPEN is small");
    let sent = async {
        streams.writer.write_all(&frame).await?;
        streams.writer.flush().await
    };
    match sent.await {
        Ok(()) => Ok(streams),
        Err(_) => Err(LegEnd::Lost("the exec closed before OPEN")),
    }
}
