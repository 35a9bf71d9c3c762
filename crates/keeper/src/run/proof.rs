//! The proof that `run` prints before it serves.

use std::io::Write as _;
use std::time::{Duration, Instant};

use carrel_keeper::IsolationProof;

use crate::args::ProofArgs;
use crate::{Failure, verify};

/// Between two looks at a network that still answers.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks at this environment and prints the findings, once.
///
/// A network's rules may take hold a moment after the environment began, so what answers is
/// tried again until nothing does or the time is up; the last look is what counts.
pub(super) fn print(args: &ProofArgs, pids_tried: Option<u64>) -> Result<(), Failure> {
    let end = Instant::now() + args.within;
    let mut report = verify::report(&args.probes, pids_tried);
    while verify::anything_answers(&report.network) && Instant::now() < end {
        std::thread::sleep(PAUSE);
        report.network = verify::look(&args.probes);
    }
    let line = IsolationProof::new(args.instance.clone(), report)
        .to_line()
        .map_err(|error| Failure::broken("proof", &error.into()))?;
    let mut output = std::io::stdout();
    output
        .write_all(&line)
        .and_then(|()| output.flush())
        .map_err(|error| Failure::broken("standard output", &error))
}
