//! Payloads as they come out of the table: as text, one to be read at a time.
//!
//! PostgreSQL nests deeper and counts further than `serde_json` reads. Were the driver to decode
//! the column, one such row would fail the whole answer it comes with: every job of a claim, after
//! the claim was committed.

use serde_json::Value;

/// A payload that is known to be JSON, and not known to be readable here.
#[derive(Clone, Debug, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct StoredPayload(pub(crate) String);

impl StoredPayload {
    /// Reads it.
    pub(crate) fn read(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl From<StoredPayload> for Value {
    /// For people: what cannot be read is shown as its text.
    fn from(stored: StoredPayload) -> Self {
        stored.read().unwrap_or(Self::String(stored.0))
    }
}

/// Says whether any text in it holds a NUL, which PostgreSQL stores nowhere.
pub(crate) fn holds_nul(payload: &Value) -> bool {
    match payload {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
