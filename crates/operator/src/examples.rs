//! One call of every verb, at the end of its help: as a person would type it, and never one that the
//! verb would not take.

use clap::Command;

/// Each verb of the tree, and what follows it.
const EXAMPLES: [(&str, &str); 89] = [
    (
        "access authorize",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --user-id u-1042",
    ),
    ("access deny", "--reason 'wrong room'"),
    (
        "access explain",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 -o text",
    ),
    (
        "access token issue",
        "--user-id u-1042 --hs256-secret \"$SECRET\"",
    ),
    ("audit list", "--since 24h -o text"),
    ("bench", "--profile quick -o text"),
    (
        "cleanup check",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10",
    ),
    ("cleanup plan", "--rows-only -o text"),
    ("cleanup sweep", "--dry-run -o text"),
    ("completions", "zsh -o text"),
    ("dlq list", "--since 24h -o text"),
    (
        "dlq redrive",
        "--group 9f3c2a1b --spread 15m --rate 20/s --yes --as dana --reason INC-7",
    ),
    ("doctor", "-o text"),
    (
        "environments create",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --as dana",
    ),
    (
        "environments destroy",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --dry-run",
    ),
    ("environments exams apply", "--file linux-fundamentals.json"),
    ("environments exams list", "-o text"),
    ("environments exams show", "linux-fundamentals"),
    (
        "environments exams validate",
        "--file linux-fundamentals.json",
    ),
    ("environments isolation list", "-o text"),
    (
        "environments isolation revoke",
        "--id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --as dana",
    ),
    (
        "environments isolation waive",
        "--for 8h --confirm no_network --as dana --reason INC-7",
    ),
    (
        "environments logs",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --tail 20",
    ),
    (
        "environments status",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 -o text",
    ),
    (
        "environments verify",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 -o text",
    ),
    ("exams apply", "linux-fundamentals.json"),
    ("exams list", "-o text"),
    ("exams show", "linux-fundamentals"),
    ("exams validate", "linux-fundamentals.json"),
    (
        "failures classify",
        "--type exited --context '{\"exit_code\":127}' -o text",
    ),
    ("failures codes", "-o text"),
    (
        "identity validate",
        "--user-id u-1042 --session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10",
    ),
    (
        "jobs cancel",
        "--kind provision_environment --older-than 2h --dry-run --as dana",
    ),
    (
        "jobs count",
        "--by kind,error --state dead --since 6h -o text",
    ),
    ("jobs export", "--state dead --since 24h"),
    (
        "jobs kill",
        "01982f6e-7c1e --requeue --dry-run --as dana --reason 'hangs'",
    ),
    (
        "jobs list",
        "--queue environments --state dead --since 24h -o wide",
    ),
    (
        "jobs move",
        "--queue environments --state ready --to bulk --dry-run --as dana",
    ),
    (
        "jobs purge",
        "--state done --older-than 30d --dry-run --as dana",
    ),
    (
        "jobs retry",
        "--state dead --error timeout --since 2h --spread 15m --dry-run --as dana",
    ),
    ("jobs show", "01982f6e-7c1e -o text"),
    ("jobs snooze", "01982f6e-7c1e --for 10m --as dana"),
    (
        "jobs wait",
        "01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --timeout 5m",
    ),
    (
        "lifecycle history",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 -o text",
    ),
    (
        "lifecycle show",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 -o text",
    ),
    ("lifecycle table", "-o text"),
    (
        "lifecycle transition",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --to ready --as cli",
    ),
    ("migrate sql", "-o text"),
    ("migrate status", "-o text"),
    ("migrate up", "--dry-run -o text"),
    ("migrate validate", "-o text"),
    ("ops cancel", "17 --as dana --reason INC-7"),
    ("ops list", "-w -o text"),
    ("ops show", "17 -o text"),
    ("ops wait", "17 --timeout 10m"),
    ("queues list", "-o text"),
    (
        "queues pause",
        "environments --for 30m --yes --as dana --reason maintenance",
    ),
    ("queues resume", "environments --as dana"),
    (
        "queues set",
        "environments --concurrency 20 --rate 5/s --priority-age 10m --as dana",
    ),
    ("queues stats", "-w -o text"),
    (
        "recordings export",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --to exam.cast",
    ),
    (
        "recordings keygen",
        "--to signing-key.pem --public-to signing-key.public.pem",
    ),
    ("recordings list", "--exam linux-fundamentals -o text"),
    (
        "recordings verify",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10",
    ),
    ("schedules backfill", "sweep_stuck --from 2h --to 1h"),
    ("schedules list", "-o text"),
    (
        "schedules pause",
        "sweep_stuck --for 30m --as dana --reason INC-7",
    ),
    ("schedules resume", "sweep_stuck --as dana"),
    ("schedules run", "sweep_stuck --as dana"),
    ("sessions compensate", "--exam linux-fundamentals -o text"),
    (
        "sessions create",
        "--user-id u-1042 --exam linux-fundamentals --dry-run --as dana",
    ),
    ("sessions events", "01982f6e-7c1e --since 1h"),
    ("sessions explain", "01982f6e-7c1e -o text"),
    (
        "sessions extend",
        "--exam linux-fundamentals --by 10m --dry-run --as dana --reason INC-7",
    ),
    (
        "sessions list",
        "--state running --exam linux-fundamentals -o text",
    ),
    ("sessions show", "01982f6e-7c1e -o text"),
    (
        "sessions terminate",
        "--exam linux-fundamentals --dry-run --as dana --reason INC-7",
    ),
    (
        "sessions wait",
        "01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 --for ready --timeout 2m",
    ),
    ("sessions watch", "01982f6e-7c1e -o text"),
    (
        "status get",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10 -o text",
    ),
    (
        "status watch",
        "--session-id 01982f6e-7c1e-7b6a-9c55-3f2b6c1d9a10",
    ),
    ("sweep", "--dry-run -o text"),
    ("token issue", "--user-id u-1042 --hs256-secret \"$SECRET\""),
    ("version", "-o text"),
    ("workers drain", "--version '<1.9' --dry-run --as dana"),
    ("workers evict", "worker-7f --dry-run --as dana"),
    ("workers list", "--stale -o text"),
    ("workers show", "worker-7f -o text"),
    ("workers undrain", "worker-7f --as dana"),
];

/// Adds each verb's call to its help, below whatever ends it already.
#[must_use]
pub(crate) fn with_examples(tree: Command) -> Command {
    dressed(tree, "")
}

fn dressed(mut tree: Command, path: &str) -> Command {
    let nouns: Vec<_> = tree
        .get_subcommands()
        .map(|it| it.get_name().to_owned())
        .collect();
    for name in nouns {
        let path = format!("{path} {name}");
        tree = tree.mut_subcommand(name, |verb| dressed(verb, path.trim_start()));
    }
    let Some((verb, words)) = EXAMPLES.iter().find(|(verb, _)| *verb == path) else {
        return tree;
    };
    let example = format!("Example:\n  carrel {verb} {words}");
    let help = match tree.get_after_help() {
        Some(before) => format!("{before}\n\n{example}"),
        None => example,
    };
    tree.after_help(help)
}

#[cfg(test)]
mod tests {
    use clap::ArgMatches;

    use super::*;
    use crate::completions::tree;

    /// As help wraps its lines.
    const WIDTH: usize = 100;

    /// The words that a shell makes of a line without escapes.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for letter in line.chars() {
            match (quote, letter) {
                (None, ' ') => words.push(String::new()),
                (None, '\'' | '"') => quote = Some(letter),
                (Some(open), _) if open == letter => quote = None,
                (None | Some(_), _) => words.last_mut().unwrap().push(letter),
            }
        }
        assert_eq!(quote, None, "{line}");
        words
    }

    fn find_verbs(tree: &Command, path: &str, found: &mut Vec<String>) {
        if !tree.has_subcommands() {
            found.push(path.trim_start().to_owned());
        }
        for verb in tree.get_subcommands() {
            find_verbs(verb, &format!("{path} {}", verb.get_name()), found);
        }
    }

    fn called(matches: &ArgMatches) -> String {
        match matches.subcommand() {
            Some((name, matches)) => format!("{name} {}", called(matches)).trim_end().to_owned(),
            None => String::new(),
        }
    }

    fn of<'a>(tree: &'a mut Command, verb: &str) -> &'a mut Command {
        let names = verb.split(' ');
        names.fold(tree, |tree, name| tree.find_subcommand_mut(name).unwrap())
    }

    #[test]
    fn every_verb_has_one_example_and_no_example_is_of_another() {
        let mut found = Vec::new();
        find_verbs(&tree(), "", &mut found);
        found.sort_unstable();
        let shown: Vec<_> = EXAMPLES.iter().map(|(verb, _)| *verb).collect();
        assert_eq!(shown, found);
    }

    #[test]
    fn what_help_shows_is_what_the_verb_takes() {
        let mut shown = with_examples(tree());
        for (verb, _) in EXAMPLES {
            let help = of(&mut shown, verb).render_long_help().to_string();
            let (_, example) = help.split_once("Example:\n  ").unwrap();
            let line = example.lines().next().unwrap();
            assert!(line.len() + 2 < WIDTH, "{line}");
            // One that has shown its help does not parse any more.
            let parsed = with_examples(tree()).try_get_matches_from(words(line));
            let parsed = parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(called(&parsed), verb, "{line}");
        }
    }

    #[test]
    fn what_ended_a_help_before_still_does() {
        let mut tree = with_examples(tree());
        let help = of(&mut tree, "jobs retry").render_long_help().to_string();
        let (exits, example) = (help.find("Exit codes of many"), help.find("Example:"));
        assert!(exits.is_some() && exits < example, "{help}");
    }
}
