//! What stands at the cursor, found by walking the very tree that parses.

use clap::{Arg, Command};

use super::names::Names;

/// The word at the cursor.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The verb so far, such as `jobs list`.
    pub(super) path: String,
    pub(super) command: &'a Command,
    /// Whose value it is, where it is one.
    pub(super) argument: Option<&'a Arg>,
    /// What of the word comes before the value, such as `--queue=` or the `state,` of `--by state,`.
    pub(super) head: &'a str,
    /// The rest of it, up to the cursor.
    pub(super) typed: &'a str,
    /// Whether a word before it is no verb where one is needed, so that nothing can follow.
    pub(super) is_lost: bool,
    database_url: Option<String>,
}

impl<'a> Place<'a> {
    pub(super) fn find(tree: &'a Command, before: &[String], word: &'a str) -> Self {
        let mut walk = Walk::from(tree);
        for word in before.iter().skip(1) {
            walk.step(word);
        }
        let (argument, head) = walk.at(word);
        let head = match argument {
            Some(argument) if argument.get_value_delimiter() == Some(',') => {
                let after = word[head.len()..].rfind(',').map_or(0, |comma| comma + 1);
                &word[..head.len() + after]
            }
            _ => head,
        };
        Self {
            path: walk.path,
            command: walk.command,
            argument,
            head,
            typed: &word[head.len()..],
            is_lost: walk.positional > 0 && walk.command.has_subcommands(),
            database_url: walk.database_url,
        }
    }

    /// Of what the installation has names, where the word is such a name.
    pub(super) fn names(&self) -> Option<Names> {
        let argument = self.argument?;
        Names::of(&self.path, argument.get_id().as_str())
    }

    /// The database that the line itself names.
    pub(super) fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref()
    }
}

/// The way through the tree along the words.
struct Walk<'a> {
    command: &'a Command,
    path: String,
    /// Arguments without a flag so far.
    positional: usize,
    /// A flag whose value comes next.
    awaits: Option<&'a Arg>,
    /// Whether `--` has ended the flags.
    is_ended: bool,
    database_url: Option<String>,
}

impl<'a> From<&'a Command> for Walk<'a> {
    fn from(command: &'a Command) -> Self {
        Self {
            command,
            path: String::new(),
            positional: 0,
            awaits: None,
            is_ended: false,
            database_url: None,
        }
    }
}

impl<'a> Walk<'a> {
    fn step(&mut self, word: &str) {
        if let Some(flag) = self.awaits.take() {
            return self.note(flag, word);
        }
        if self.is_ended || !is_flag(word) {
            return self.plain(word);
        }
        match word.strip_prefix("--") {
            Some("") => self.is_ended = true,
            Some(long) => {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                match (self.long(name), value) {
                    (Some(flag), Some(value)) => self.note(flag, value),
                    (flag, None) => self.awaits = flag.filter(|flag| takes_value(flag)),
                    (None, Some(_)) => {}
                }
            }
            None => self.awaits = self.last_of(&word[1..]),
        }
    }

    fn plain(&mut self, word: &str) {
        let verb = self.command.find_subcommand(word);
        let Some(verb) = verb.filter(|_| !self.is_ended) else {
            self.positional += 1;
            return;
        };
        if !self.path.is_empty() {
            self.path.push(' ');
        }
        self.path.push_str(verb.get_name());
        self.command = verb;
        self.positional = 0;
    }

    fn note(&mut self, flag: &Arg, value: &str) {
        if flag.get_id() == "database_url" {
            self.database_url = Some(value.to_owned());
        }
    }

    /// Whose value the word is, and what of it comes before that value.
    fn at<'w>(&self, word: &'w str) -> (Option<&'a Arg>, &'w str) {
        if let Some(flag) = self.awaits {
            return (Some(flag), "");
        }
        if self.is_ended || !is_flag(word) && word != "-" {
            return (self.positional(), "");
        }
        let Some(equals) = word.find('=').filter(|_| word.starts_with("--")) else {
            return (None, "");
        };
        let flag = self.long(&word[2..equals]).filter(|it| takes_value(it));
        (flag, &word[..=equals])
    }

    fn positional(&self) -> Option<&'a Arg> {
        let mut positionals = self.command.get_positionals();
        positionals.nth(self.positional)
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        let mut flags = self.command.get_arguments();
        flags.find(|flag| flag.get_long() == Some(name))
    }

    /// Of short flags together, such as `-wo`, the last where its value comes next.
    fn last_of(&self, letters: &str) -> Option<&'a Arg> {
        for (index, letter) in letters.char_indices() {
            let mut flags = self.command.get_arguments();
            let flag = flags.find(|flag| flag.get_short() == Some(letter))?;
            if takes_value(flag) {
                let is_last = index + letter.len_utf8() == letters.len();
                return is_last.then_some(flag);
            }
        }
        None
    }
}

/// A dash alone is a value, such as the `-` of `--id-file -`.
fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    /// The verb, whose value, what stays of the word, and the rest.
    fn at(line: &str) -> (String, Option<String>, String, String) {
        let mut tree = tree();
        tree.build();
        let mut words: Vec<_> = line.split(' ').map(ToOwned::to_owned).collect();
        let word = words.pop().unwrap();
        let place = Place::find(&tree, &words, &word);
        let whose = place.argument.map(|it| it.get_id().to_string());
        (
            place.path.clone(),
            whose,
            place.head.to_owned(),
            place.typed.to_owned(),
        )
    }

    #[test]
    fn values_verbs_and_flags_are_told_apart() {
        for (line, path, whose, head, typed) in [
            ("carrel ", "", None, "", ""),
            ("carrel jo", "", None, "", "jo"),
            ("carrel jobs ", "jobs", None, "", ""),
            ("carrel jobs list --qu", "jobs list", None, "", "--qu"),
            (
                "carrel jobs list --queue en",
                "jobs list",
                Some("queue"),
                "",
                "en",
            ),
            (
                "carrel jobs list --queue=en",
                "jobs list",
                Some("queue"),
                "--queue=",
                "en",
            ),
            (
                "carrel jobs list --queue q --state ",
                "jobs list",
                Some("state"),
                "",
                "",
            ),
            (
                "carrel -o text jobs list -wo ",
                "jobs list",
                Some("output"),
                "",
                "",
            ),
            (
                "carrel jobs count --by state,qu",
                "jobs count",
                Some("by"),
                "state,",
                "qu",
            ),
            (
                "carrel doctor --only=queues,l",
                "doctor",
                Some("only"),
                "--only=queues,",
                "l",
            ),
            (
                "carrel queues pause en",
                "queues pause",
                Some("queue"),
                "",
                "en",
            ),
            (
                "carrel queues pause -- en",
                "queues pause",
                Some("queue"),
                "",
                "en",
            ),
            ("carrel queues pause q ", "queues pause", None, "", ""),
            (
                "carrel jobs list --no-such=x",
                "jobs list",
                None,
                "--no-such=",
                "x",
            ),
        ] {
            let found = at(line);
            let wanted = (
                path.to_owned(),
                whose.map(ToOwned::to_owned),
                head.to_owned(),
                typed.to_owned(),
            );
            assert_eq!(found, wanted, "{line}");
        }
    }

    #[test]
    fn a_database_that_the_line_names_is_the_one_to_ask() {
        let mut tree = tree();
        tree.build();
        for line in [
            "carrel --database-url postgres://a/b jobs list --queue",
            "carrel jobs list --database-url=postgres://a/b --queue",
        ] {
            let words: Vec<_> = line.split(' ').map(ToOwned::to_owned).collect();
            let place = Place::find(&tree, &words, "");
            assert_eq!(place.database_url(), Some("postgres://a/b"), "{line}");
        }
    }
}
