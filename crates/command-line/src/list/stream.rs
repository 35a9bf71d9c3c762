//! Rows as lines, each page before the next is read.

use std::io::{self, BufWriter, Stdout, Write as _};

use serde::Serialize;

use super::List;
use crate::column::Column;
use crate::lines::is_read;
use crate::table::cells;
use crate::{Cell, CliError, Document, OutputFormat};

/// Rows read at once.
const BATCH: i64 = 500;

/// The rows of one list on stdout.
pub(super) struct Lines<'a, T: 'static> {
    list: &'a List<T>,
    output: OutputFormat,
    columns: Vec<&'a Column<T>>,
    out: BufWriter<Stdout>,
    has_head: bool,
}

impl<'a, T: Serialize> Lines<'a, T> {
    pub(super) fn new(
        list: &'a List<T>,
        output: OutputFormat,
        columns: Vec<&'a Column<T>>,
    ) -> Self {
        let out = BufWriter::new(io::stdout());
        Self {
            list,
            output,
            columns,
            out,
            has_head: false,
        }
    }

    /// Prints every page until there is no more, as many rows as were asked for or nobody reads.
    pub(super) async fn all(
        mut self,
        limit: Option<i64>,
        mut read: impl AsyncFnMut(Option<&T>, i64) -> Result<Vec<T>, CliError>,
    ) -> Result<(), CliError> {
        let (mut left, mut last) = (limit.unwrap_or(i64::MAX), None);
        while left > 0 {
            let wanted = left.min(BATCH);
            let mut rows = read(last.as_ref(), wanted).await?;
            let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            if !self.page(&rows)? || found < wanted {
                break;
            }
            left -= found;
            last = rows.pop();
        }
        Ok(())
    }

    /// Prints a page, and says whether anybody still reads.
    pub(super) fn page(&mut self, rows: &[T]) -> Result<bool, CliError> {
        let written = self.write(rows);
        is_read(written)
    }

    fn write(&mut self, rows: &[T]) -> io::Result<()> {
        if self.output == OutputFormat::Tsv && !self.has_head {
            self.has_head = true;
            let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
            writeln!(self.out, "{}", names.join("\t"))?;
        }
        for row in rows {
            let line = self.line(row);
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    fn line(&self, row: &T) -> String {
        match self.output {
            OutputFormat::Name => (self.list.name)(row),
            OutputFormat::Tsv => {
                let cells = cells(&self.columns, row);
                let cells: Vec<_> = cells.iter().map(Cell::for_scripts).collect();
                cells.join("\t")
            }
            _ => Document::new(self.list.schema, row).to_json_row("row"),
        }
    }
}
