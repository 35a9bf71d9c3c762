//! What the program says: how far it is while it measures, and tables at its end.
#![expect(
    clippy::print_stdout,
    reason = "the tables are what this program is for"
)]
#![expect(clippy::print_stderr, reason = "minutes pass before there is a table")]

use std::time::Instant;

use anyhow::Result;

use crate::contenders::Contender;
use crate::measures::measures;
use crate::rounds::Bounds;

/// Collects what does not fit into the tables.
pub(crate) struct Report {
    load_before: String,
    notes: Vec<String>,
}

impl Report {
    pub(crate) const fn new(load_before: String) -> Self {
        let notes = Vec::new();
        Self { load_before, notes }
    }

    pub(crate) fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
    }

    /// Says what comes next, or that there is no time for it.
    pub(crate) fn begins(&mut self, what: &str, end: Instant) -> bool {
        let is_in_time = Instant::now() < end;
        if is_in_time {
            progress(what);
        } else {
            self.note(format!("{what}: not begun, the time was over"));
        }
        is_in_time
    }

    pub(crate) fn note_failure(&mut self, what: &str, measured: Result<()>) {
        if let Err(why) = measured {
            self.note(format!("{what}: failed: {why:#}"));
        }
    }

    /// Prints how the tables are to be read, and what went wrong.
    pub(crate) fn notes(&self) {
        println!("\nHow to read them:\n");
        println!("- rates are medians over the rounds, times nearest ranks of all probes");
        println!("- † cut off at the cap: the rate of what was done until then");
        println!("- the floor's idle start is a bare NOTIFY round trip");
        println!(
            "- CPU and database time are of the first backlog, the latter without implicit commits"
        );
        println!("- load average {} before", self.load_before);
        for note in &self.notes {
            println!("- {note}");
        }
    }
}

/// Says how far it is.
pub(crate) fn progress(what: &str) {
    eprintln!("{what}");
}

/// Prints the figures of all, then by how much Carrel's are theirs.
pub(crate) fn tables(field: &[Contender], bounds: &Bounds) {
    let measures = measures(bounds);
    let titles: Vec<&str> = field.iter().map(|contender| contender.title).collect();
    head("Measured", &titles);
    for measure in &measures {
        let cells = field
            .iter()
            .map(|contender| measure.cell(&contender.figures));
        row(&measure.name, cells);
    }
    let carrels: Vec<&Contender> = field.iter().filter(|one| one.is_carrel()).collect();
    if !carrels.is_empty() {
        let titles: Vec<&str> = carrels.iter().map(|carrel| carrel.title).collect();
        let ratios = format!("{} over", titles.join(" / "));
        let others: Vec<&Contender> = field.iter().filter(|one| !one.is_carrel()).collect();
        let titles: Vec<&str> = others.iter().map(|other| other.title).collect();
        println!();
        head(&ratios, &titles);
        for measure in measures.iter().filter(|measure| measure.is_compared) {
            let cells = others.iter().map(|other| measure.ratios(&carrels, other));
            row(&measure.name, cells);
        }
    }
}

/// Prints lines under a title of their own.
pub(crate) fn below(title: &str, lines: &[String]) {
    println!("\n{title}:\n\n{}", lines.join("\n"));
}

/// Prints what a contender measured.
pub(crate) fn print(line: &str) {
    println!("{line}");
}

fn head(first: &str, titles: &[&str]) {
    println!("| {first} | {} |", titles.join(" | "));
    println!("|---|{}", "---|".repeat(titles.len()));
}

fn row(name: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    println!("| {name} | {} |", cells.join(" | "));
}
