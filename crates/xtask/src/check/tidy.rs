//! What is read off the files themselves: how long they are, and what was left in them.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::failure::Failure;
use crate::workspace::tracked_files;

/// Above this a file is split by concept; tests under the code do not count.
const LINES: usize = 500;

/// Words that promise work instead of doing it, or take a test out. Spelt in two parts, so that
/// this file does not find itself.
const LEFT_OVERS: [&str; 8] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ig", "nore"),
    concat!("#[al", "low("),
    concat!(".on", "ly("),
    concat!("test.sk", "ip"),
];

/// Refuses files over the limit.
pub(crate) fn sizes(root: &Path) -> Result<String> {
    let mut too_long = Vec::new();
    let files = tracked_files(root, &["*.rs", "*.ts"])?;
    for file in &files {
        let lines = code_lines(&fs::read_to_string(file)?);
        if lines > LINES {
            too_long.push(format!("{lines} {}", shown(root, file)));
        }
    }
    verdict(format!("files over {LINES} lines"), &too_long)?;
    Ok(format!("{} files, none over {LINES} lines", files.len()))
}

/// Refuses what should have been done or taken out.
pub(crate) fn left_overs(root: &Path) -> Result<String> {
    let mut found = Vec::new();
    for file in tracked_files(root, &["*.rs", "*.ts", "*.sh", "*.sql", ".ci/*"])? {
        for (number, line) in fs::read_to_string(&file)?.lines().enumerate() {
            if LEFT_OVERS.iter().any(|word| line.contains(word)) {
                found.push(format!(
                    "{}:{}: {}",
                    shown(root, &file),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    verdict("unfinished work in the code".to_owned(), &found)?;
    Ok(String::new())
}

fn code_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "mod tests {")
        .count()
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string()
}

fn verdict(what: String, found: &[String]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::new(what).because(found.join("\n")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_under_the_code_do_not_count() {
        assert_eq!(code_lines("one\ntwo\nmod tests {\nfour\n}\n"), 2);
    }

    #[test]
    fn a_left_over_is_named_with_its_line() {
        let root = tempfile::tempdir().unwrap();
        std::process::Command::new("git")
            .arg("-C")
            .arg(root.path())
            .arg("init")
            .output()
            .unwrap();
        fs::write(
            root.path().join("a.rs"),
            format!("fine\n// {} later\n", LEFT_OVERS[0]),
        )
        .unwrap();
        let error = left_overs(root.path()).unwrap_err();
        assert!(
            error
                .downcast_ref::<Failure>()
                .unwrap()
                .why()
                .unwrap()
                .starts_with("a.rs:2:")
        );
    }
}
