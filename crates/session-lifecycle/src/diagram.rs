//! The picture of the table, drawn from the table.

use std::fmt::Write;

use crate::state::{SessionState, TRANSITIONS};

/// Marks where the generated diagram begins in README.md.
pub const DIAGRAM_BEGIN: &str = "<!-- diagram: begin -->";
/// Marks where the generated diagram ends in README.md.
pub const DIAGRAM_END: &str = "<!-- diagram: end -->";

/// Draws [`TRANSITIONS`] as a Mermaid state diagram, one line per transition in table order.
pub fn diagram() -> String {
    let mut lines = String::from("stateDiagram-v2\n    [*] --> created\n");
    for (from, to) in TRANSITIONS {
        writeln!(lines, "    {from} --> {to}").expect("a String takes any text");
    }
    for state in SessionState::TERMINAL {
        writeln!(lines, "    {state} --> [*]").expect("a String takes any text");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_the_diagram_of_the_table() {
        let readme = include_str!("../README.md");
        let (_, rest) = readme
            .split_once(DIAGRAM_BEGIN)
            .expect("README marks the beginning");
        let (shown, _) = rest.split_once(DIAGRAM_END).expect("README marks the end");
        assert_eq!(shown.trim(), format!("```mermaid\n{}```", diagram()));
    }
}
