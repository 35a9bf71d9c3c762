//! Lists: declared once, printed as whoever asks can use them.

mod stream;
mod watch;

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::column::{Column, pick};
use crate::table::table;
use crate::{CliError, Document, GlobalArgs, OutputFormat};

pub use watch::WatchArgs;

/// Rows on a page that a person reads.
const PAGE: i64 = 50;

/// The flag that only lists have, by the name of its field.
pub(crate) const COLUMNS: &str = "columns";

/// What the help of every list ends with.
const OUTPUTS: &str = "\
Lists: -o also takes `wide` (text with every column), `tsv` (a row of names, then a row each, tabs \
between), `jsonl` (a JSON object a line) and `name` (what names each row, for xargs).";

/// How a list is shown. Its presence is what tells a list from any other verb.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = OUTPUTS)]
pub struct ListArgs {
    /// The columns of `-o text`, `-o wide` and `-o tsv`, joined by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
}

/// How a list is shown that has pages.
#[derive(Args, Clone, Debug, Default)]
pub struct PagedArgs {
    /// Rows on a page, 1 to 500, or 50 when left out; with `-o tsv`, `jsonl` and `name` rows at most,
    /// or every page when left out
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(1..=500))]
    pub(crate) limit: Option<i64>,
    /// How the rows are shown.
    #[command(flatten)]
    pub list: ListArgs,
}

impl PagedArgs {
    /// Rows on a page.
    pub fn page(&self) -> i64 {
        self.limit.unwrap_or(PAGE)
    }
}

/// A list of `T`: one declaration for every output.
#[derive(Debug)]
pub struct List<T: 'static> {
    /// The document's schema, such as `job-queue/list.v1`.
    pub schema: &'static str,
    /// What the document calls the rows.
    pub rows: &'static str,
    /// What people are told of none.
    pub empty: &'static str,
    /// What names a row; for a list with pages also how to go on after it.
    pub name: fn(&T) -> String,
    /// What there is to see of a row.
    pub columns: &'static [Column<T>],
}

impl<T: Serialize> List<T> {
    /// Shows rows that were all read at once.
    ///
    /// # Errors
    /// Usage, when a column is wanted that is not there; transient, when stdout does not take it.
    pub fn whole(
        &self,
        globals: &GlobalArgs,
        args: &ListArgs,
        rows: &[T],
    ) -> Result<Document, CliError> {
        let columns = pick(self.columns, globals.output, args)?;
        if globals.output.is_lines() {
            let mut out = stream::Lines::new(self, globals.output, columns);
            out.page(rows)?;
            return Ok(Document::already_printed());
        }
        let document = Document::new(self.schema, json!({ self.rows: rows }));
        Ok(document.with_text(self.text(&columns, rows)))
    }

    /// Shows a list page by page: one page for people and as a document, every page as lines. `read`
    /// is given the last row that it read and how many to read after it; `more` is the flag that does
    /// the same for people.
    ///
    /// # Errors
    /// As [`whole`](Self::whole), and whatever `read` says.
    pub async fn paged(
        &self,
        globals: &GlobalArgs,
        args: &PagedArgs,
        more: &str,
        mut read: impl AsyncFnMut(Option<&T>, i64) -> Result<Vec<T>, CliError>,
    ) -> Result<Document, CliError> {
        let columns = pick(self.columns, globals.output, &args.list)?;
        if globals.output.is_lines() {
            let out = stream::Lines::new(self, globals.output, columns);
            out.all(args.limit, read).await?;
            return Ok(Document::already_printed());
        }
        let limit = args.page();
        let rows = read(None, limit).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|length| length >= limit);
        let next_cursor = rows.last().filter(|_| is_full).map(self.name);
        let mut text = self.text(&columns, &rows);
        if let Some(cursor) = &next_cursor {
            // Writing to a string cannot fail.
            write!(text, "\nthere may be more: {more} {cursor}").ok();
        }
        let data = json!({ self.rows: rows, "next_cursor": next_cursor });
        Ok(Document::new(self.schema, data).with_text(text))
    }

    fn text(&self, columns: &[&Column<T>], rows: &[T]) -> String {
        if rows.is_empty() {
            return self.empty.to_owned();
        }
        table(columns, rows)
    }
}

impl OutputFormat {
    /// Whether rows are printed as they come, with nothing around them.
    const fn is_lines(self) -> bool {
        matches!(self, Self::Tsv | Self::Jsonl | Self::Name)
    }

    pub(crate) const fn has_columns(self) -> bool {
        matches!(self, Self::Text | Self::Wide | Self::Tsv)
    }
}
