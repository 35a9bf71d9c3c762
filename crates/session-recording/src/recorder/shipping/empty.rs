//! One spool file into the database.

use std::sync::Arc;

use session_identity::ExamSessionId;
use sqlx::error::DatabaseError;
use tokio::time::timeout;

use super::{Shipment, unanswered};
use crate::place::Place;
use crate::recorder::Shared;
use crate::segment::Segment;
use crate::store::ship;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptied {
    /// Nothing is left in it.
    Whole,
    /// Its turn is over, and it has filled meanwhile: others are waiting too.
    Partly,
    /// The database does not take it, or the file cannot be read: others may do better.
    Refused,
    /// The database did not answer.
    Unanswered,
}

/// Why a file was not emptied.
#[derive(Debug, thiserror::Error)]
enum ShipError {
    #[error("append segments")]
    Database(#[from] sqlx::Error),
    #[error("read the spool")]
    Spool(#[from] std::io::Error),
}

impl ShipError {
    /// Values and constraints are about what was offered; anything else is about the database.
    fn outcome(&self) -> Emptied {
        let Self::Database(error) = self else {
            return Emptied::Refused;
        };
        let code = error.as_database_error().and_then(DatabaseError::code);
        let is_refusal = code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"));
        if is_refusal {
            Emptied::Refused
        } else {
            Emptied::Unanswered
        }
    }
}

/// Reads of one file in a turn: a terminal that prints for ever keeps nobody else's from being shipped.
const READS: usize = 16;

/// Ships one file until it is empty, or its turn is over.
pub(super) async fn empty(shared: &Shared, shipment: &Shipment) -> Emptied {
    for _ in 0..READS {
        match ship_some(shared, shipment).await {
            Ok(true) => {}
            Ok(false) => return Emptied::Whole,
            Err(error) => {
                let outcome = error.outcome();
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, session.id = %shipment.roll.session_id(),
                    "a recording stays in the spool and is tried again");
                return outcome;
            }
        }
    }
    Emptied::Partly
}

/// Ships the next segments of a file. Returns whether there were any.
async fn ship_some(shared: &Shared, shipment: &Shipment) -> Result<bool, ShipError> {
    let roll = Arc::clone(&shipment.roll);
    let read = shared.disk.run(move || roll.unshipped());
    let read = read.await.map_err(std::io::Error::other)??;
    let Some(unshipped) = read else {
        return Ok(false);
    };
    let Some(last) = unshipped.segments.last() else {
        return Ok(false);
    };
    ship_in_time(shared, shipment.roll.session_id(), &unshipped.segments).await?;
    if let Some(track) = &shipment.own {
        track.note_recorded(Place {
            shell_epoch: last.header.shell_epoch,
            offset: last.header.to_offset,
        });
    }
    unshipped.file.note_shipped(unshipped.length);
    Ok(true)
}

/// Who holds the lock on one recording keeps no other from being shipped.
async fn ship_in_time(
    shared: &Shared,
    session_id: ExamSessionId,
    segments: &[Segment],
) -> Result<(), sqlx::Error> {
    let mut conn = shared.pool.acquire().await?;
    let shipped = timeout(
        shared.timing.patience,
        ship(&mut conn, session_id, segments),
    )
    .await;
    let shipped = shipped.unwrap_or_else(|_| Err(unanswered(&mut conn, shared.timing.patience)));
    shipped.map(drop)
}
