//! Where a disruption or a break came from.

use serde::{Deserialize, Serialize};

/// Names who took a machine's place away, as the runtime reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisruptionCause {
    /// A more important workload needed the room.
    Preemption,
    /// An eviction was asked for through the API.
    Eviction,
    /// The machine was tainted.
    Taint,
    /// The machine's agent terminated its workloads, usually to shut down.
    Shutdown,
    /// The machine is gone and its leftovers were collected.
    Collection,
}

/// Names the leg of a terminal on which a stream broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TerminalLeg {
    /// Between the browser and the terminal process.
    Browser,
    /// Between the terminal process and the environment.
    Environment,
}
