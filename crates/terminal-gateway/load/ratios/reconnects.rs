//! Both streams over many forced reconnects, compared byte by byte.

use rand::RngExt as _;

use crate::Rounds;
use crate::database::Database;
use crate::gateway::Running;
use crate::report::{Report, Target};
use crate::steady::{MOMENT, Steady};

/// Typed between two cuts, at most.
const PIECE: usize = 4_000;

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    let running = Running::start(database).await;
    let mut script = vec![0; rounds.reconnects * PIECE];
    rand::rng().fill(&mut script[..]);
    let mut steady = Steady::attach(running.seat().await, script).await;
    for _ in 0..rounds.reconnects {
        steady.type_on(rand::rng().random_range(0..PIECE)).await;
        if rand::random() {
            steady.glance(MOMENT).await;
        }
        // Under way in both directions when it happens.
        steady.type_on(rand::rng().random_range(0..PIECE)).await;
        steady.reconnect().await;
    }
    // It stops the run at the first byte that is lost or doubled.
    let typed = steady.script.len();
    steady.finish().await;
    let found = format!("0 of {typed} bytes, and of their echo");
    let what = "bytes lost or doubled over forced reconnects";
    report.row(what, rounds.reconnects, &found, &Target::met_if("0", true));
}
