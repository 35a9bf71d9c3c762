//! A list that is looked at again and again.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use super::{List, ListArgs};
use crate::column::pick;
use crate::lines::is_read;
use crate::{CliError, Document, GlobalArgs, OutputFormat, parse_duration};

/// Moves to the top left and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Whether and how often a list is looked at again.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Looks again until Ctrl-C. At a terminal `-o text` draws the list anew; otherwise each row is a JSON
    /// line when it comes or changes, and its name one when it is listed no more
    #[arg(long, short)]
    pub watch: bool,
    /// How often
    #[arg(
        long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration,
        requires = "watch"
    )]
    pub interval: Duration,
}

impl<T: Serialize> List<T> {
    /// Shows rows that are all read at once: once, or as [`watch`](Self::watch) does.
    ///
    /// # Errors
    /// As [`whole`](Self::whole) and [`watch`](Self::watch).
    pub async fn whole_or_watched(
        &self,
        globals: &GlobalArgs,
        args: &ListArgs,
        watch: &WatchArgs,
        mut read: impl AsyncFnMut() -> Result<Vec<T>, CliError>,
    ) -> Result<Document, CliError> {
        if watch.watch {
            return self.watch(globals, args, watch.interval, read).await;
        }
        self.whole(globals, args, &read().await?)
    }

    /// Shows the list at every change until Ctrl-C or until nobody reads. `read` is asked for all that is
    /// listed at that moment.
    ///
    /// # Errors
    /// A usage error for an output whose rows cannot change; otherwise as [`whole`](Self::whole), and
    /// whatever `read` says.
    pub async fn watch(
        &self,
        globals: &GlobalArgs,
        args: &ListArgs,
        interval: Duration,
        mut read: impl AsyncFnMut() -> Result<Vec<T>, CliError>,
    ) -> Result<Document, CliError> {
        let columns = pick(self.columns, globals.output, args)?;
        if matches!(globals.output, OutputFormat::Tsv | OutputFormat::Name) {
            return Err(
                CliError::usage("output", "rows that change have no such lines")
                    .next("watch with -o text or -o jsonl"),
            );
        }
        let is_drawn = globals.output.is_for_people() && io::stdout().is_terminal();
        let mut seen = Seen::default();
        let looking = async {
            loop {
                let rows = read().await?;
                let shown = if is_drawn {
                    format!("{CLEAR}{}\n", self.text(&columns, &rows))
                } else {
                    seen.news(self, &rows)
                };
                if !is_read(print(&shown))? {
                    return Ok(());
                }
                sleep(interval).await;
            }
        };
        tokio::select! {
            ended = looking => ended.map(|()| Document::already_printed()),
            _ = tokio::signal::ctrl_c() => Ok(Document::already_printed()),
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The rows of the last look, by name.
#[derive(Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    /// Writes what came, changed or went since the last look, a line each.
    fn news<T: Serialize>(&mut self, list: &List<T>, rows: &[T]) -> String {
        let mut now = BTreeMap::new();
        let mut lines = String::new();
        for row in rows {
            let (name, line) = (
                (list.name)(row),
                Document::new(list.schema, row).to_json_row("row"),
            );
            if self.0.remove(&name).is_none_or(|before| before != line) {
                lines.push_str(&line);
                lines.push('\n');
            }
            now.insert(name, line);
        }
        for name in self.0.keys() {
            let gone = Document::new(list.schema, json!({ "name": name }));
            lines.push_str(&gone.to_json_row("gone"));
            lines.push('\n');
        }
        self.0 = now;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_told_when_it_comes_changes_or_goes_and_not_while_it_stays() {
        let list = List::<(&str, i64)> {
            schema: "x/list.v1",
            rows: "rows",
            empty: "none",
            name: |row| row.0.to_owned(),
            columns: &[],
        };
        let mut seen = Seen::default();
        let first = seen.news(&list, &[("a", 1), ("b", 1)]);
        assert_eq!(first.lines().count(), 2);
        assert_eq!(seen.news(&list, &[("a", 1), ("b", 1)]), "");
        assert_eq!(
            seen.news(&list, &[("a", 2)]),
            "{\"schema\":\"x/list-row.v1\",\"data\":[\"a\",2]}\n\
             {\"schema\":\"x/list-gone.v1\",\"data\":{\"name\":\"b\"}}\n"
        );
    }
}
