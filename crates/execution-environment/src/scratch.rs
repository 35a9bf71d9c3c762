//! Every place an environment may write, with its size. All else is read-only.

use serde::Serialize;

use crate::ExamDefinition;

const MIB: u64 = 1024 * 1024;
/// Enough for an editor's swap files and a compiler's temporaries.
const TMP_BYTES: u64 = 16 * MIB;
/// `/var/tmp` and `/dev/shm` exist because programs expect them; few use them.
const SMALL_BYTES: u64 = MIB;

/// Names the candidate's own home among the scratch volumes, see [`ScratchVolume::path`].
pub(crate) const SHARED_MEMORY: &str = "/dev/shm";

/// Describes one writable place of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScratchVolume {
    /// Where it is mounted.
    pub path: String,
    /// Its size in bytes; it is full beyond.
    pub size_bytes: u64,
}

/// Lists the writable places of an exam's environments, shared memory included.
pub fn scratch_volumes(exam: &ExamDefinition) -> Vec<ScratchVolume> {
    let volume = |path: &str, size_bytes| ScratchVolume {
        path: path.to_owned(),
        size_bytes,
    };
    vec![
        volume(&exam.workdir, exam.limits.scratch_bytes()),
        volume("/tmp", TMP_BYTES),
        volume("/var/tmp", SMALL_BYTES),
        volume("/run/carrel", SMALL_BYTES),
        volume(SHARED_MEMORY, SMALL_BYTES),
    ]
}
