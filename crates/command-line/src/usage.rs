//! Turns clap's refusals into the one JSON error of the contract.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{CliError, Exit};

/// Names the flag at fault and the help that explains it.
pub(crate) fn usage_error(name: &str, error: &clap::Error) -> CliError {
    let mut refusal = CliError::new(Exit::Usage, first_sentence(error));
    refusal.field = argument_at_fault(error);
    refusal.next = Some(help_command(name, error));
    refusal
}

/// Tells whether clap only wants to print help or the version.
pub(crate) fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    )
}

fn first_sentence(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let words = rendered.split("\n\nUsage:").next().unwrap_or_default();
    let words = words.split("\n\nFor more").next().unwrap_or_default();
    let words = words.trim_start_matches("error: ").split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

fn argument_at_fault(error: &clap::Error) -> Option<String> {
    let text = match error.get(ContextKind::InvalidArg)? {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.first()?.clone(),
        _ => return None,
    };
    let flag = text.split([' ', '=']).next().unwrap_or_default();
    Some(
        flag.trim_matches(['-', '<', '>', '[', ']', '.'])
            .to_ascii_lowercase(),
    )
}

/// The usage line names the subcommand that was meant: `Usage: carrel jobs show …`.
fn help_command(name: &str, error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let usage = rendered.split("Usage: ").nth(1).unwrap_or(name);
    let words = usage
        .split_whitespace()
        .take_while(|word| !word.starts_with(['-', '<', '[']))
        .collect::<Vec<_>>();
    format!("{} --help", words.join(" "))
}
