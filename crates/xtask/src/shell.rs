//! What the contributor sees, and the commands run on their behalf.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "xtask talks to a person"
)]

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::failure::Failure;

/// A step that takes longer says what it waits for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Without a terminal the reminder is a line of its own, so it comes rarely.
const PLAIN_REMINDER: Duration = Duration::from_secs(30);
/// How much of a failed command's output is worth reading at once.
const TAIL_LINES: usize = 15;

/// Prints a finished step: `✓ label   detail`.
pub(crate) fn done(label: &str, detail: &str) {
    println!(
        "  ✓ {label}{}",
        if detail.is_empty() {
            String::new()
        } else {
            format!("   {detail}")
        }
    );
}

/// Prints one plain line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints an error as what, why and next; a plain error as its chain.
pub(crate) fn print_failure(error: &anyhow::Error) {
    eprintln!("error: {error}");
    if let Some(failure) = error.downcast_ref::<Failure>() {
        for line in failure.why().into_iter().flat_map(str::lines) {
            eprintln!("  {line}");
        }
        for line in failure.next().into_iter().flat_map(str::lines) {
            eprintln!("  mend it: {line}");
        }
        return;
    }
    for cause in error.chain().skip(1) {
        eprintln!("  because {cause}");
    }
}

/// A running step: silent while it is quick, and after that it tells what it waits for.
#[derive(Debug)]
pub(crate) struct Step {
    ended: Option<Sender<()>>,
    ticker: Option<JoinHandle<()>>,
    begun: Instant,
}

impl Step {
    /// Begins a step that waits for `waiting_for`.
    pub(crate) fn begin(waiting_for: impl Into<String>) -> Self {
        let (ended, receiver) = channel();
        let waiting_for = waiting_for.into();
        let begun = Instant::now();
        let ticker = std::thread::spawn(move || {
            let terminal = std::io::stdout().is_terminal();
            let mut pause = PATIENCE;
            while receiver.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let seconds = begun.elapsed().as_secs();
                if terminal {
                    print!("\r\x1b[K  … {waiting_for} ({seconds} s)");
                } else {
                    println!("  … {waiting_for} ({seconds} s)");
                    pause = PLAIN_REMINDER;
                }
                std::io::stdout().flush().ok();
            }
            if terminal && begun.elapsed() > PATIENCE {
                print!("\r\x1b[K");
                std::io::stdout().flush().ok();
            }
        });
        Self {
            ended: Some(ended),
            ticker: Some(ticker),
            begun,
        }
    }

    /// Time since the step began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the step with a ✓ line that tells how long it took.
    pub(crate) fn done_in(self, label: &str) {
        let seconds = self.begun.elapsed().as_secs_f32();
        drop(self);
        done(&format!("{label} in {seconds:.1} s"), "");
    }

    /// Ends the step with its ✓ line.
    pub(crate) fn done(self, label: &str, detail: &str) {
        drop(self);
        done(label, detail);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(ticker) = self.ticker.take() {
            ticker.join().ok();
        }
    }
}

/// Runs a command whose own output the person should see.
pub(crate) fn run_loudly(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| could_not_start(command, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` failed", display(command)))
        .because(status)
        .into())
}

/// Runs a command in silence and returns its output; a failure carries the last lines.
pub(crate) fn run_quietly(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| could_not_start(command, &e))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(
        Failure::new(format!("`{}` failed ({})", display(command), output.status))
            .because(last_lines(&said))
            .into(),
    )
}

/// The last lines of a text that are worth showing.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn could_not_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "could not start `{}`",
        command.get_program().display()
    ))
    .because(error)
}

/// The command as one could type it.
fn display(command: &Command) -> String {
    let mut text = command.get_program().display().to_string();
    for argument in command.get_args() {
        write!(text, " {}", argument.display()).expect("a String takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_says_its_last_words() {
        let error =
            run_quietly(Command::new("sh").args(["-c", "echo spoken >&2; exit 3"])).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert!(failure.to_string().contains("exit 3"), "{failure}");
        assert_eq!(failure.why(), Some("spoken"));
    }

    #[test]
    fn only_the_end_of_a_long_text_is_shown() {
        let text: String = (0..40)
            .flat_map(|n| ["line ".to_owned(), n.to_string(), "\n\n".to_owned()])
            .collect();
        let shown = last_lines(&text);
        assert_eq!(shown.lines().count(), TAIL_LINES);
        assert!(shown.ends_with("line 39"));
    }
}
