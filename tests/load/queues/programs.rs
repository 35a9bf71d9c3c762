//! Contenders' programs: one process for each verb, and what it printed.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

/// How to start a contender.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// What comes before the verb.
    pub(crate) words: Vec<String>,
}

/// So many jobs were enqueued or run in so many seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Done {
    pub(crate) jobs: u32,
    pub(crate) seconds: f64,
    /// Of the client's process, while it ran jobs.
    #[serde(default)]
    pub(crate) cpu_seconds: f64,
}

impl Done {
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.jobs) / self.seconds
    }
}

/// Times from before the enqueue until the handler's start.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Starts {
    pub(crate) millis: Vec<f64>,
    /// Jobs a second that were run beside those.
    pub(crate) background: f64,
}

impl Program {
    /// Runs one verb on the database, and reads the last line that it printed.
    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        url: &str,
        verb: &str,
        within: Duration,
    ) -> Result<T> {
        let mut command = Command::new(&self.path);
        command
            .args(&self.words)
            .args(verb.split(' '))
            .env("DATABASE_URL", url);
        let output = output(&mut command, within).await?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let last = printed.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("`{verb}` printed {last:?}"))
    }
}

/// Runs a command to its end, which must be a success, and kills it when it takes too long.
pub(crate) async fn output(command: &mut Command, within: Duration) -> Result<Output> {
    // Without its environment, which may hold a password.
    let program = command.as_std().get_program().display().to_string();
    let words = command.as_std().get_args().map(|word| word.display());
    let words: Vec<String> = words.map(|word| word.to_string()).collect();
    let shown = format!("`{program} {}`", words.join(" "));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(within, command.output())
        .await
        .with_context(|| format!("{shown} took longer than {within:?}"))?
        .with_context(|| format!("start {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let mut lines = said.lines().rev();
        // Above it stand traces and below it, in Node.js, the version.
        let why = lines.find(|line| line.to_lowercase().contains("error"));
        bail!("{shown} failed: {}", why.unwrap_or(said.trim()));
    }
    Ok(output)
}
