//! The gates that need no running system. Each is tried, so that one run names all that is wrong.

mod tidy;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::engine::Engine;
use crate::packages::find_program;
use crate::page;
use crate::settings::Settings;
use crate::shell::{self, Step};
use crate::sqlx::Scratch;
use crate::suites::{Feature, Suites};
use crate::workspace::Workspace;

/// What to leave out of a check.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Checks queries by `.sqlx/` only, without a database to compare it with.
    #[arg(long)]
    offline: bool,
}

type Gate<'a> = (&'static str, Box<dyn Fn() -> Result<String> + 'a>);

/// `cargo xtask check`.
#[expect(clippy::unnecessary_wraps, reason = "every verb has this shape")]
pub(crate) fn run(
    workspace: &Workspace,
    settings: &Settings,
    args: &CheckArgs,
) -> Result<ExitCode> {
    let gates: Vec<Gate<'_>> = vec![
        ("format", Box::new(|| format(workspace))),
        ("sizes", Box::new(|| tidy::sizes(&workspace.root))),
        ("left-overs", Box::new(|| tidy::left_overs(&workspace.root))),
        ("licences and sources", Box::new(|| dependencies(workspace))),
        (
            "lints and queries",
            Box::new(|| lints(workspace, settings, args)),
        ),
        ("documentation", Box::new(|| documentation(workspace))),
        ("page", Box::new(|| page_check(workspace))),
    ];
    let mut failed = Vec::new();
    for (name, gate) in gates {
        let begun = Instant::now();
        match gate() {
            Ok(detail) => shell::done(name, &timed(detail, begun.elapsed())),
            Err(error) => {
                shell::print_failure(&error);
                failed.push(name);
            }
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    shell::say(&format!("failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// What a gate says of itself, and how long it took where that is worth knowing.
fn timed(detail: String, took: Duration) -> String {
    if took < Duration::from_secs(1) {
        return detail;
    }
    let took = format!("in {:.1} s", took.as_secs_f64());
    if detail.is_empty() {
        took
    } else {
        format!("{detail}, {took}")
    }
}

fn format(workspace: &Workspace) -> Result<String> {
    shell::run_loudly(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(String::new())
}

/// One Clippy run holds the lints and, since it expands every query against a database that has
/// just been migrated, the queries too.
fn lints(workspace: &Workspace, settings: &Settings, args: &CheckArgs) -> Result<String> {
    let mut clippy = workspace.cargo();
    let suites = Suites::taken_by(workspace, &[])?;
    clippy
        .args(["clippy", "--workspace", "--all-targets", "--quiet"])
        .args(suites.features(Feature::ALL))
        .args(["--", "-D", "warnings"]);
    if args.offline {
        shell::run_loudly(&mut clippy)?;
        return Ok("queries by .sqlx/ only".to_owned());
    }
    let engine = Engine::find_or_start(settings)?;
    let scratch = Scratch::start(workspace, &engine)?;
    scratch.expand(workspace, &mut clippy)?;
    scratch.compare(workspace)?;
    Ok("against a freshly migrated database".to_owned())
}

fn documentation(workspace: &Workspace) -> Result<String> {
    shell::run_loudly(
        workspace
            .cargo()
            .args(["doc", "--workspace", "--no-deps", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Ok(String::new())
}

/// cargo-deny takes minutes to compile, so it is a tool of `.ci/run` and a courtesy here.
fn dependencies(workspace: &Workspace) -> Result<String> {
    if find_program("cargo-deny").is_none() {
        return Ok("left out: cargo-deny is not installed (`.ci/run` installs it)".to_owned());
    }
    // The graph is that of every platform; a build has fetched this one's packages only.
    shell::run_quietly(workspace.cargo().args(["fetch", "--locked"]))?;
    shell::run_quietly(
        Command::new("cargo-deny")
            .current_dir(&workspace.root)
            .args(["--offline", "check", "bans", "licenses", "sources"]),
    )?;
    Ok(String::new())
}

fn page_check(workspace: &Workspace) -> Result<String> {
    let _step = Step::begin("the page's types, format and lints");
    let folder = page::install(workspace)?;
    shell::run_quietly(page::npm(&folder).args(["run", "check"]))?;
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_takes_its_time_says_so() {
        let of = |detail: &str, ms| timed(detail.to_owned(), Duration::from_millis(ms));
        assert_eq!(of("all", 999), "all");
        assert_eq!(of("all", 83_240), "all, in 83.2 s");
        assert_eq!(of("", 1_000), "in 1.0 s");
    }
}
