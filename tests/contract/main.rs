//! What holds between the parts, whatever they do: edges, command lines, words, the schema.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told has failed")]

mod command_lines;
mod dependencies_point_down;
mod libraries_answer_their_contract_verbs;
mod monitoring;
mod schema;
