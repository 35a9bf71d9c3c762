//! Resource limits, which every process inherits from the keeper.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::ProcessLimits;

/// Lowers the limits, soft and hard: nobody inside can raise them again.
pub(crate) fn lower(limits: ProcessLimits) -> io::Result<()> {
    set(Resource::Nofile, limits.open_files)?;
    set(Resource::Nproc, limits.processes)
}

/// Returns the hard limits of this process; `None` is none.
pub(crate) fn found() -> ProcessLimits {
    ProcessLimits {
        open_files: getrlimit(Resource::Nofile).maximum,
        processes: getrlimit(Resource::Nproc).maximum,
    }
}

fn set(resource: Resource, most: Option<u64>) -> io::Result<()> {
    let Some(most) = most else { return Ok(()) };
    // A lower one that was found stays: raising needs a privilege that nobody has here.
    let most = getrlimit(resource)
        .maximum
        .map_or(most, |hard| hard.min(most));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}
