//! What the columns of a list are called, how a row is read, and which of them are wanted.

use crate::{Cell, CliError, ListArgs, OutputFormat};

/// One column of a list of `T`.
#[derive(Debug)]
pub struct Column<T> {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&T) -> Cell,
    is_wide: bool,
}

impl<T> Column<T> {
    /// A column of every table.
    pub const fn new(name: &'static str, read: fn(&T) -> Cell) -> Self {
        Self {
            name,
            read,
            is_wide: false,
        }
    }

    /// A column that people see with `-o wide`, or when they name it.
    pub const fn wide(name: &'static str, read: fn(&T) -> Cell) -> Self {
        Self {
            name,
            read,
            is_wide: true,
        }
    }
}

/// Picks the columns that are named, in that order; without names, those that the output has.
///
/// # Errors
/// A usage error for `columns`, with what there is.
pub(crate) fn pick<'a, T>(
    columns: &'a [Column<T>],
    output: OutputFormat,
    args: &ListArgs,
) -> Result<Vec<&'a Column<T>>, CliError> {
    let Some(names) = &args.columns else {
        let is_whole = output != OutputFormat::Text;
        return Ok(columns
            .iter()
            .filter(|column| is_whole || !column.is_wide)
            .collect());
    };
    if !output.has_columns() {
        return Err(
            CliError::usage("columns", "this output has no columns to choose from")
                .next("leave --columns out, or give -o text, -o wide or -o tsv"),
        );
    }
    names.iter().map(|name| named(columns, name)).collect()
}

fn named<'a, T>(columns: &'a [Column<T>], name: &str) -> Result<&'a Column<T>, CliError> {
    let found = columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let known: Vec<_> = columns.iter().map(|column| column.name).collect();
        CliError::usage("columns", format!("there is no column {name:?}"))
            .next(format!("choose from {}", known.join(",")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column<i64>; 3] = [
        Column::new("id", |row| (*row).into()),
        Column::new("state", |_| Cell::Empty),
        Column::wide("host", |_| Cell::Empty),
    ];

    fn names(output: OutputFormat, wanted: Option<&[&str]>) -> Result<Vec<&'static str>, CliError> {
        let columns = wanted.map(|names| names.iter().map(ToString::to_string).collect());
        let picked = pick(&COLUMNS, output, &ListArgs { columns })?;
        Ok(picked.into_iter().map(|column| column.name).collect())
    }

    #[test]
    fn people_see_the_wide_ones_when_they_ask_and_scripts_always() {
        assert_eq!(names(OutputFormat::Text, None).unwrap(), ["id", "state"]);
        for all in [OutputFormat::Wide, OutputFormat::Tsv] {
            assert_eq!(names(all, None).unwrap(), ["id", "state", "host"]);
        }
        let chosen = names(OutputFormat::Text, Some(&["host", "id"]));
        assert_eq!(chosen.unwrap(), ["host", "id"]);
    }

    #[test]
    fn a_column_that_is_not_there_is_refused_with_those_that_are() {
        let error = names(OutputFormat::Tsv, Some(&["id", "hots"])).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("columns"));
        assert_eq!(error.next.as_deref(), Some("choose from id,state,host"));
        assert!(names(OutputFormat::Json, Some(&["id"])).is_err());
    }
}
