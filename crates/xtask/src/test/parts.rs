//! What the suites stand on: engine, images, page, binaries, database, cluster.

use std::process::Command;

use anyhow::Result;

use super::kubernetes::{Cluster, Plan};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::images::{self, Products};
use crate::postgres::Database;
use crate::settings::Settings;
use crate::shell::{self, Step};
use crate::stop::Stop;
use crate::workspace::Workspace;
use crate::{keeper, page};

/// The parts, in the order in which they end.
pub(super) struct Parts {
    cluster: Cluster,
    /// To stop ours takes the engine, so they stand before it.
    servers: Servers,
    engine: Engine,
    environment: Vec<(&'static str, String)>,
}

impl Parts {
    /// Makes everything ready, saying each; `built` is what Cargo is to build of the workspace, and so
    /// many lanes need a PostgreSQL each.
    pub(super) fn prepare(
        workspace: &Workspace,
        settings: &Settings,
        plan: Plan,
        built: &[String],
        lanes: usize,
        stop: &Stop,
    ) -> Result<Self> {
        let engine = Engine::find_or_start(settings)?;
        shell::done("container engine", engine.description());
        let exam = images::ensure(workspace, engine.client(), images::EXAM)?;
        let postgres = images::ensure(workspace, engine.client(), images::POSTGRES)?;
        let pgbouncer = images::ensure(workspace, engine.client(), images::PGBOUNCER)?;
        go_on(stop)?;
        let products = build(workspace, built)?;
        go_on(stop)?;
        let servers = Servers::prepare(settings, &engine, &postgres, lanes)?;
        let cluster = plan.carry_out(workspace, &engine, &products, &[&exam, &postgres], stop)?;
        go_on(stop)?;
        let environment = vec![
            ("CARREL_BIN_DIR", workspace.binary("").display().to_string()),
            ("CARREL_KEEPER", products.keeper.display().to_string()),
            ("CARREL_PAGE_DIR", products.page.display().to_string()),
            ("CARREL_PGBOUNCER_IMAGE", pgbouncer),
            ("CARREL_POSTGRES_IMAGE", postgres),
            ("CARREL_TEST_IMAGE", exam),
        ];
        Ok(Self {
            cluster,
            servers,
            engine,
            environment,
        })
    }

    /// Tells the suites of a lane, the first is 0, where the parts are.
    pub(super) fn give_to(&self, lane: usize, command: &mut Command) {
        let environment = self.environment.iter().chain(&self.cluster.environment);
        command
            .envs(environment.map(|(name, value)| (name, value)))
            .env("DATABASE_URL", self.servers.url(lane))
            .env("DOCKER_HOST", self.engine.docker_host());
    }
}

/// Where the lanes find PostgreSQL.
#[derive(Debug)]
enum Servers {
    /// All at the one that was given.
    Given(String),
    /// Each at one of ours, to be stopped.
    Own(Vec<Database>),
}

impl Servers {
    fn prepare(settings: &Settings, engine: &Engine, image: &str, lanes: usize) -> Result<Self> {
        if let Some(url) = &settings.database_url {
            return Ok(Self::Given(url.clone()));
        }
        let own = (1..=lanes).map(|lane| own_database(engine, image, lane));
        own.collect::<Result<_>>().map(Self::Own)
    }

    fn url(&self, lane: usize) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Own(databases) => databases[lane].url(),
        }
    }
}

/// Builds what the suites and their images run.
fn build(workspace: &Workspace, built: &[String]) -> Result<Products> {
    let step = Step::begin("the page to be built");
    let page = page::build(workspace)?;
    step.done("page", "built");
    let keeper = keeper::build(workspace)?;
    shell::done("keeper", "static");
    // Cargo gives the paths of binaries only to tests of the same package.
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--workspace"]).args(built);
    shell::run_loudly(&mut cargo)?;
    shell::done("binaries", "built");
    Ok(Products {
        binaries: workspace.binary(""),
        keeper,
        page,
    })
}

fn own_database(engine: &Engine, image: &str, lane: usize) -> Result<Database> {
    let purpose = format!("test-{lane}");
    let database = Database::start_for_this_run(engine.client(), image, &purpose, None)?;
    let detail = format!(
        "{}, port {}, for this run",
        database.version(),
        database.port
    );
    shell::done("PostgreSQL", &detail);
    Ok(database)
}

/// Nothing more is begun once the end was asked for.
fn go_on(stop: &Stop) -> Result<()> {
    if stop.is_asked() {
        return Err(Failure::new("stopped before the suites began").into());
    }
    Ok(())
}
