//! Rows under a head, as wide as they need.

use crate::{Cell, column::Column};

/// Writes a line of heads and one a row, whose columns stand below each other.
pub(crate) fn table<T>(columns: &[&Column<T>], rows: &[T]) -> String {
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(columns, row)).collect();
    let heads = columns
        .iter()
        .map(|column| column.name.to_ascii_uppercase());
    let heads: Vec<String> = heads.collect();
    let body = cells
        .iter()
        .map(|row| row.iter().map(Cell::for_people).collect());
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(body).collect();
    let widest = |index: usize| {
        let cells = lines.iter().map(|line| line[index].chars().count());
        cells.max().unwrap_or_default()
    };
    let shapes: Vec<_> = (0..columns.len())
        .map(|index| {
            (
                widest(index),
                cells.iter().any(|row| row[index].is_number()),
            )
        })
        .collect();
    let lines = lines.iter().map(|line| align(line, &shapes));
    lines.collect::<Vec<_>>().join("\n")
}

/// Reads a row.
pub(crate) fn cells<T>(columns: &[&Column<T>], row: &T) -> Vec<Cell> {
    columns.iter().map(|column| (column.read)(row)).collect()
}

fn align(line: &[String], shapes: &[(usize, bool)]) -> String {
    let cells = line.iter().zip(shapes).map(|(cell, &(width, is_number))| {
        if is_number {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        }
    });
    let line = cells.collect::<Vec<_>>().join("  ");
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_flush_right_and_words_flush_left_under_their_heads() {
        let columns = [
            Column::<(&str, Option<i64>)>::new("queue", |row| row.0.into()),
            Column::new("ready", |row| row.1.into()),
            Column::new("state", |_| "open".into()),
        ];
        let columns: Vec<_> = columns.iter().collect();
        let rows = [("grade", Some(7)), ("provisioning", None), ("é", Some(412))];
        assert_eq!(
            table(&columns, &rows),
            "QUEUE         READY  STATE\n\
             grade             7  open\n\
             provisioning      -  open\n\
             é               412  open"
        );
        assert_eq!(table(&columns, &[]), "QUEUE  READY  STATE");
    }
}
