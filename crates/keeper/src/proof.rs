//! The line by which `keeper run` proves what isolates its environment.
//!
//! The keeper writes it to its standard output before anybody can attach, so nothing of the
//! candidate can have written it, or one before it.

use serde::{Deserialize, Serialize};

use crate::VerifyReport;

/// What [`IsolationProof::parse`] looks for.
const MARK: &str = "isolation";

/// One proof: what was found, and in which object of the runtime.
///
/// Shape: `{"carrel": "isolation", "instance": …, "report": …}` on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationProof {
    carrel: String,
    /// What the runtime calls the object, as it was told to the keeper.
    pub instance: String,
    /// The findings.
    pub report: VerifyReport,
}

impl IsolationProof {
    /// Makes the proof of one instance.
    pub fn new(instance: String, report: VerifyReport) -> Self {
        Self {
            carrel: MARK.to_owned(),
            instance,
            report,
        }
    }

    /// Writes the line, its end included.
    ///
    /// # Errors
    /// None in practice: every field can be written.
    pub fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line; `None` when it is something else, which a log may hold before.
    pub fn parse(line: &str) -> Option<Self> {
        let proof: Self = serde_json::from_str(line.trim()).ok()?;
        (proof.carrel == MARK).then_some(proof)
    }
}
