//! The exam of all measurements.

use std::time::Duration;

use execution_environment::ExamDefinition;
use system_tests::exams;

/// A hundred of the sample exam as it is do not fit on the test bed's node: they would ask for all
/// of two processors and 25 GiB.
const CPU_MILLIS: u32 = 500;
const MEMORY_MIB: u32 = 128;
/// How long a session may take to start or to end. Slow is measured here, not failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// The sample exam under its own name, with less of what a node has and more time.
pub(crate) fn slim() -> ExamDefinition {
    exams::changed(exams::SAMPLE, |exam| {
        exam.limits.cpu_millis = CPU_MILLIS;
        exam.limits.memory_mib = MEMORY_MIB;
        exam.startup_budget_seconds = PATIENCE.as_secs();
    })
}
