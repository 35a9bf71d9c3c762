//! What operators do to many jobs at once: a row that says it, and a job that works it.

mod change;
mod chunk;
mod decide;
mod lifecycle;
mod record;
mod row;
mod verb;
mod work;

pub use lifecycle::{
    NewOperation, OperationCancel, cancel_operation, list_operations, load_operation,
    start_operation,
};
pub use record::{OperationId, OperationIdError, OperationRecord, OperationState};
pub use verb::BulkVerb;
pub use work::{BulkOperation, OPERATIONS_QUEUE, OperationHandler};
