//! Which words fit where the cursor stands.

use clap::builder::PossibleValue;
use clap::{Arg, Command};

use super::names;
use super::place::Place;
use super::word::Word;

/// The flag that only lists have: their outputs are the hidden values of `--output`.
const OF_LISTS: &str = "columns";

/// Keeps the words that go on as the typed one begins, each with what stays before it.
pub(super) fn offered(place: &Place<'_>, words: Vec<Word>) -> Vec<Word> {
    let fitting = words
        .into_iter()
        .filter(|word| word.text.starts_with(place.typed) && word.is_plain());
    let whole = fitting.map(|word| Word {
        text: format!("{}{}", place.head, word.text),
        ..word
    });
    whole.collect()
}

/// Gives what this program knows without asking anybody: verbs, flags, and values that are always the
/// same.
pub(super) fn own(place: &Place<'_>) -> Vec<Word> {
    match place.argument {
        Some(argument) => {
            let words = values(place, argument);
            let may_be_left_out = argument.is_positional() && place.typed.is_empty();
            if words.is_empty() && may_be_left_out && !is_path(argument) {
                return flags(place.command);
            }
            words
        }
        None if place.is_lost || !place.head.is_empty() => Vec::new(),
        None if place.command.has_subcommands() && !place.typed.starts_with('-') => {
            verbs(place.command)
        }
        None => flags(place.command),
    }
}

fn values(place: &Place<'_>, argument: &Arg) -> Vec<Word> {
    let states = names::states(&place.path, argument.get_id().as_str());
    if !states.is_empty() {
        return states;
    }
    let mut arguments = place.command.get_arguments();
    let is_list = arguments.any(|it| it.get_id() == OF_LISTS);
    let values = argument.get_possible_values().into_iter();
    let shown = values.filter(|value| is_list || !value.is_hide_set());
    shown.map(|value| value_word(&value)).collect()
}

fn value_word(value: &PossibleValue) -> Word {
    Word::new(value.get_name(), one_line(value.get_help()))
}

fn verbs(command: &Command) -> Vec<Word> {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    shown
        .map(|verb| Word::new(verb.get_name(), one_line(verb.get_about())))
        .collect()
}

fn flags(command: &Command) -> Vec<Word> {
    let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let long = shown.filter_map(|flag| {
        let text = format!("--{}", flag.get_long()?);
        Some(Word::new(text, one_line(flag.get_help())))
    });
    long.collect()
}

/// Shells offer files by themselves, where no other word fits.
fn is_path(argument: &Arg) -> bool {
    argument.get_value_hint() == clap::ValueHint::AnyPath
}

fn one_line(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    help.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn at(line: &str) -> Vec<String> {
        let mut tree = tree();
        tree.build();
        let mut words: Vec<_> = line.split(' ').map(ToOwned::to_owned).collect();
        let word = words.pop().unwrap();
        let place = Place::find(&tree, &words, &word);
        let words = offered(&place, own(&place)).into_iter();
        words.map(|word| word.text).collect()
    }

    #[test]
    fn verbs_flags_and_values_come_from_the_tree_that_parses() {
        assert_eq!(at("carrel jo"), ["jobs"]);
        assert_eq!(at("carrel queues pa"), ["pause"]);
        assert_eq!(at("carrel jobs list --qu"), ["--queue"]);
        assert_eq!(at("carrel jobs list --state d"), ["done", "dead"]);
        assert_eq!(at("carrel jobs list --state=dea"), ["--state=dead"]);
        assert_eq!(at("carrel sessions list --state r"), ["ready", "running"]);
        assert_eq!(at("carrel jobs count --by state,qu"), ["state,queue"]);
        assert_eq!(at("carrel completions f"), ["fish"]);
        assert!(at("carrel queues pause q ").contains(&"--for".to_owned()));
    }

    #[test]
    fn outputs_that_only_lists_have_are_offered_to_lists_alone() {
        assert!(at("carrel jobs list -o ").contains(&"wide".to_owned()));
        assert_eq!(at("carrel jobs show -o "), ["json", "text"]);
    }

    #[test]
    fn what_nobody_types_is_not_offered() {
        let flags = at("carrel completions bash --");
        assert!(flags.contains(&"--output".to_owned()), "{flags:?}");
        for hidden in ["--line", "--typed"] {
            assert!(!flags.contains(&hidden.to_owned()), "{hidden}");
        }
        assert!(
            at("carrel exams apply ").is_empty(),
            "files are the shell's"
        );
        assert!(at("carrel jobs list --no-such=").is_empty());
    }

    #[test]
    fn a_name_that_would_steer_the_terminal_is_not_shown() {
        let mut tree = tree();
        tree.build();
        let place = Place::find(&tree, &[], "");
        let names = ["plain", "two\nlines", "\u{1b}[2J"].map(Word::bare);
        assert_eq!(offered(&place, names.into()), [Word::bare("plain")]);
    }
}
