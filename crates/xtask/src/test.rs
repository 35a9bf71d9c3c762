//! Every suite, on parts that are made ready first, and the totals over all of them.

mod totals;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};
use clap::Args;

use self::totals::{Runner, Totals};
use crate::cli::Settings;
use crate::engine::Engine;
use crate::packages::{self, Need};
use crate::postgres::Database;
use crate::shell::{self, Step};
use crate::workspace::{Workspace, require_space};
use crate::{images, keeper, page};

/// The browser of the page's flow.
const BROWSER: Need = Need {
    program: "chromium",
    package: "chromium",
};
/// A debug build of everything with its tests.
const SPACE_MIB: u64 = 4096;

/// Which part of the suites to run.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Leaves out the page's own tests.
    #[arg(long)]
    no_frontend: bool,
    /// Passed on to `cargo test`, such as `-p job-queue` or a test's name; all suites where empty.
    #[arg(last = true)]
    cargo: Vec<String>,
}

/// What the suites are told through the environment.
struct Parts {
    database_url: String,
    /// Ours to stop, if none was given; that takes the engine, so it stands before it.
    _database: Option<Database>,
    engine: Engine,
    environment: Vec<(&'static str, String)>,
}

/// `cargo xtask test`.
pub(crate) fn run(workspace: &Workspace, settings: &Settings, args: &TestArgs) -> Result<ExitCode> {
    require_space(&workspace.target, SPACE_MIB, "building the tests")?;
    packages::ensure("the browser tests", &[BROWSER])?;
    let parts = Parts::prepare(workspace, settings)?;

    let mut totals = Totals::default();
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--no-fail-fast"]);
    if args.cargo.is_empty() {
        cargo.arg("--workspace");
    }
    parts.give_to(&mut cargo).args(&args.cargo);
    totals.add(&watch(Runner::Cargo, &mut cargo)?);
    if !args.no_frontend {
        let folder = page::install(workspace)?;
        totals.add(&watch(
            Runner::Vitest,
            parts.give_to(page::npm(&folder).arg("test")),
        )?);
    }
    drop(parts);
    shell::say(&totals.closing_line());
    Ok(if totals.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Parts {
    fn prepare(workspace: &Workspace, settings: &Settings) -> Result<Self> {
        let engine = Engine::find_or_start(settings)?;
        shell::done("container engine", engine.description());
        let exam = images::ensure(workspace, engine.client(), images::EXAM)?;
        let postgres = images::ensure(workspace, engine.client(), images::POSTGRES)?;
        let step = Step::begin("the page to be built");
        let page = page::build(workspace)?;
        step.done("page", "built");
        let keeper = keeper::build(workspace)?;
        shell::done("keeper", "static");
        // Cargo gives the paths of binaries only to tests of the same package.
        shell::run_loudly(workspace.cargo().args(["build", "--workspace", "--bins"]))?;
        shell::done("binaries", "built");
        let (database_url, database) = match &settings.database_url {
            Some(url) => (url.clone(), None),
            None => own_database(&engine, &postgres)?,
        };
        let environment = vec![
            ("CARREL_BIN_DIR", workspace.binary("").display().to_string()),
            ("CARREL_KEEPER", keeper.display().to_string()),
            ("CARREL_PAGE_DIR", page.display().to_string()),
            ("CARREL_POSTGRES_IMAGE", postgres),
            ("CARREL_TEST_IMAGE", exam),
        ];
        Ok(Self {
            engine,
            database_url,
            _database: database,
            environment,
        })
    }

    fn give_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("DATABASE_URL", &self.database_url)
            .env("DOCKER_HOST", self.engine.docker_host())
    }
}

fn own_database(engine: &Engine, image: &str) -> Result<(String, Option<Database>)> {
    let database = Database::start_for_this_run(engine.client(), image, "test", None)?;
    let detail = format!(
        "{}, port {}, for this run",
        database.version(),
        database.port
    );
    shell::done("PostgreSQL", &detail);
    Ok((database.url(), Some(database)))
}

/// Runs one runner, shows what it prints and counts along.
fn watch(runner: Runner, command: &mut Command) -> Result<Totals> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut totals = Totals::default();
    let output = child
        .stdout
        .take()
        .context("the runner's output was piped")?;
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    // Tests may print what is no text, so lines are read as bytes.
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        shell::say(text.trim_end_matches('\n'));
        totals.read_line(runner, &text);
        line.clear();
    }
    if !child.wait()?.success() {
        totals.mark_failed();
    }
    Ok(totals)
}
