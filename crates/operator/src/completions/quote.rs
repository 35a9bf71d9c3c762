//! A word as its shell takes it: a name with a space or a dollar must not become two words or a call.

use super::Shell;
use super::line::Asked;
use super::word::Word;

/// Gives the line that the shell's script reads: for bash the end of the word, for all others the
/// whole word and after a tab what there is to say of it.
pub(super) fn line(shell: Shell, word: &Word, asked: &Asked) -> String {
    let Word { text, told } = word;
    match shell {
        Shell::Bash => {
            let rest = text.get(asked.stays..).unwrap_or_default();
            bash(rest, asked.quote)
        }
        Shell::Powershell => format!("{}\t{told}", powershell(text)),
        // They quote by themselves what they put in.
        Shell::Elvish | Shell::Fish | Shell::Zsh => format!("{text}\t{told}"),
    }
}

/// Between single quotes nothing is special but their end; between double quotes little; outside of
/// them whatever is neither a letter nor known to be harmless.
fn bash(text: &str, quote: Option<char>) -> String {
    match quote {
        Some('\'') => text.replace('\'', "'\\''"),
        // No backslash takes its meaning from `!` between double quotes, only other quotes do.
        Some(_) => escaped(text, |it| matches!(it, '"' | '\\' | '$' | '`')).replace('!', "\"'!'\""),
        None => escaped(text, |it| !is_harmless(it)),
    }
}

fn escaped(text: &str, is_special: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        if is_special(it) {
            escaped.push('\\');
        }
        escaped.push(it);
    }
    escaped
}

/// A letter of any language is harmless, too.
fn is_harmless(it: char) -> bool {
    it.is_alphanumeric()
        || matches!(
            it,
            '-' | '_' | '.' | ',' | '/' | ':' | '=' | '@' | '%' | '+'
        )
}

fn powershell(text: &str) -> String {
    if text
        .chars()
        .all(|it| is_harmless(it) && !matches!(it, ',' | '@' | '%'))
    {
        return text.to_owned();
    }
    // It takes typographic quotes for the plain one, and ends the word at any of them.
    let mut quoted = String::from("'");
    for it in text.chars() {
        if matches!(it, '\'' | '\u{2018}'..='\u{201B}') {
            quoted.push(it);
        }
        quoted.push(it);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_gets_the_rest_of_the_word_quoted_as_the_word_was_begun() {
        let asked = |stays, quote| Asked {
            stays,
            quote,
            ..Asked::default()
        };
        let word = Word::new("--queue=it's $HOME", "");
        let line = |asked: Asked| line(Shell::Bash, &word, &asked);
        assert_eq!(line(asked(8, None)), "it\\'s\\ \\$HOME");
        assert_eq!(line(asked(8, Some('\''))), "it'\\''s $HOME");
        assert_eq!(line(asked(8, Some('"'))), "it's \\$HOME");
        assert_eq!(bash("a!b", Some('"')), "a\"'!'\"b");
        assert_eq!(line(asked(0, None)), "--queue=it\\'s\\ \\$HOME");
    }

    #[test]
    fn others_get_the_word_and_what_there_is_to_say_of_it() {
        let word = Word::new("it's", "a queue");
        let line = |shell| line(shell, &word, &Asked::default());
        assert_eq!(line(Shell::Zsh), "it's\ta queue");
        assert_eq!(line(Shell::Powershell), "'it''s'\ta queue");
        assert_eq!(powershell("environments"), "environments");
    }

    #[test]
    fn powershell_finds_no_end_of_the_word_in_a_typographic_quote() {
        for it in ['\'', '\u{2018}', '\u{2019}', '\u{201A}', '\u{201B}'] {
            let name = format!("a{it}; calc");
            assert_eq!(powershell(&name), format!("'a{it}{it}; calc'"));
        }
    }
}
