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
    database_url: String,
    cluster: Cluster,
    /// Ours to stop, if none was given; that takes the engine, so it stands before it.
    _database: Option<Database>,
    engine: Engine,
    environment: Vec<(&'static str, String)>,
}

impl Parts {
    /// Makes everything ready, saying each; `built` is what Cargo is to build of the workspace.
    pub(super) fn prepare(
        workspace: &Workspace,
        settings: &Settings,
        plan: Plan,
        built: &[String],
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
        let (database_url, database) = match &settings.database_url {
            Some(url) => (url.clone(), None),
            None => own_database(&engine, &postgres)?,
        };
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
            database_url,
            cluster,
            _database: database,
            engine,
            environment,
        })
    }

    /// Tells a runner's suites where the parts are.
    pub(super) fn give_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let environment = self.environment.iter().chain(&self.cluster.environment);
        command
            .envs(environment.map(|(name, value)| (name, value)))
            .env("DATABASE_URL", &self.database_url)
            .env("DOCKER_HOST", self.engine.docker_host())
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

/// Nothing more is begun once the end was asked for.
fn go_on(stop: &Stop) -> Result<()> {
    if stop.is_asked() {
        return Err(Failure::new("stopped before the suites began").into());
    }
    Ok(())
}
