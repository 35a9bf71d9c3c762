//! How much a screen shows.

use environment_access::wire::limits;

/// A screen's size in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScreenSize {
    /// Columns.
    pub(crate) columns: u16,
    /// Rows.
    pub(crate) rows: u16,
}

impl ScreenSize {
    /// The nearest size that differs, for a program that draws itself anew only when the size changes.
    pub(crate) const fn neighbour(self) -> Self {
        let columns = if self.columns > *limits::COLUMNS.start() {
            self.columns - 1
        } else {
            self.columns + 1
        };
        Self { columns, ..self }
    }
}
