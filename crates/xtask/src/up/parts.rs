//! What the processes stand on: engine, images, binaries, page, database, secret.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::UpArgs;
use super::installation::{Account, Installation};
use super::random::random;
use super::run_state::{RunState, write_private};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::images::Products;
use crate::kube::Choice;
use crate::postgres::{Database, Wanted};
use crate::settings::Settings;
use crate::shell::{self, Step};
use crate::stop::Stop;
use crate::workspace::Workspace;
use crate::{images, keeper, page};

/// Everything below the processes, in the order in which it must outlive them.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where the binaries, the keeper and the page lie.
    pub(crate) built: Products,
    /// Where the database is.
    pub(crate) database_url: String,
    /// Signs the tokens of this checkout.
    pub(crate) secret: String,
    /// Signs recordings of this checkout.
    pub(crate) signing_key: PathBuf,
    /// The folder of the run.
    pub(crate) folder: PathBuf,
    /// What environments need on a cluster, if that is where they run.
    pub(crate) installation: Option<Installation>,
    /// Stopped before the engine, so declared before it.
    _database: Option<Database>,
    /// Runs the environments.
    pub(crate) engine: Engine,
}

impl Parts {
    /// Makes everything ready, saying each.
    pub(crate) fn prepare(
        workspace: &Workspace,
        settings: &Settings,
        args: &UpArgs,
        choice: Option<Choice>,
        state: &mut RunState,
        stop: &Stop,
    ) -> Result<Self> {
        let built = build(workspace)?;
        go_on(stop)?;
        let engine = Engine::find_or_start(settings)?;
        if let Some(pid) = engine.service_pid() {
            state.add("container engine", pid)?;
        }
        shell::done("container engine", engine.description());
        let exam = images::ensure(workspace, engine.client(), images::EXAM)?;
        go_on(stop)?;
        let folder = state.folder().to_owned();
        let installation = choice.map(|choice| {
            let make = |name| images::ensure_with(workspace, engine.client(), name, &built);
            let keeper = make(images::KEEPER)?;
            let cluster = choice.make_ready(&engine, &[&exam, &keeper], stop)?;
            go_on(stop)?;
            Installation::make(workspace, cluster, keeper, args.node_pids, &folder)
        });
        let installation = installation.transpose()?;
        go_on(stop)?;
        let (database_url, database) = match &settings.database_url {
            Some(url) => given_database(url, args)?,
            None => own_database(workspace, &engine, args, state)?,
        };
        let parts = Self {
            built,
            database_url,
            secret: secret(&folder.join("token-secret"))?,
            signing_key: folder.join("recordings-signing-key.pem"),
            folder,
            installation,
            _database: database,
            engine,
        };
        parts.make_signing_key()?;
        parts.write_environment()?;
        go_on(stop)?;
        parts.migrate()?;
        parts.apply_exam(workspace, &exam)?;
        Ok(parts)
    }

    /// The operator's CLI, set to this system.
    pub(crate) fn carrel(&self) -> Command {
        self.carrel_as(Account::Operator)
    }

    fn carrel_as(&self, account: Account) -> Command {
        let mut carrel = Command::new(self.built.binaries.join("carrel"));
        carrel.envs(self.settings_of(account));
        carrel
    }

    /// Settings that every process and the CLI share.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let shared = vec![
            ("CARREL_DATABASE_URL", self.database_url.clone()),
            ("CARREL_TOKEN_HS256_SECRET", self.secret.clone()),
        ];
        let runtime = match &self.installation {
            Some(installation) => installation.settings(),
            None => vec![
                ("CARREL_KEEPER", self.built.keeper.display().to_string()),
                ("CARREL_RUNTIME", "engine".to_owned()),
                ("DOCKER_HOST", self.engine.docker_host().to_owned()),
            ],
        };
        [shared, runtime].concat()
    }

    /// The same, with what one account may do where rights are told apart.
    pub(crate) fn settings_of(&self, account: Account) -> Vec<(&'static str, String)> {
        let mut settings = self.settings();
        if let Some(installation) = &self.installation {
            let kubeconfig = installation.kubeconfig_of(account);
            settings.push(("KUBECONFIG", kubeconfig.display().to_string()));
        }
        settings
    }

    /// How an exam is applied where the operator's account, which the environment's file has, may
    /// make no environment on trial.
    pub(crate) fn applying(&self) -> Option<String> {
        let kubeconfig = self.installation.as_ref()?.kubeconfig_of(Account::Worker);
        let kubeconfig = kubeconfig.display();
        Some(format!(
            "KUBECONFIG='{kubeconfig}' carrel exams apply exam.json: a trial takes the worker's rights"
        ))
    }

    /// Runs the CLI and returns the `data` of its one JSON document.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value> {
        data_of(&mut self.carrel(), arguments)
    }

    /// What a shell needs to speak to this system.
    fn write_environment(&self) -> Result<()> {
        let settings = self.settings_of(Account::Operator).into_iter();
        let exports = settings.map(|(name, value)| format!("export {name}='{value}'"));
        let path = format!("export PATH='{}':\"$PATH\"", self.built.binaries.display());
        // People read this system's answers; programs ask for JSON anyway.
        let output = "export CARREL_OUTPUT='text'".to_owned();
        let first = "# Read by: . target/up/environment".to_owned();
        let lines = [first]
            .into_iter()
            .chain(exports)
            .chain([path, output, String::new()]);
        let text = lines.collect::<Vec<_>>().join("\n");
        write_private(&self.folder.join("environment"), &text)
    }

    /// The key of last time, so that recordings of an earlier run stay provable; else a new one.
    fn make_signing_key(&self) -> Result<()> {
        if self.signing_key.exists() {
            return Ok(());
        }
        // A public key whose private one is gone would keep the new one's from being written.
        let public = self.signing_key.with_extension("public.pem");
        if public.exists() {
            fs::remove_file(&public)?;
        }
        let mut carrel = self.carrel();
        let keygen = ["recordings", "keygen", "--to"];
        carrel.args(keygen).arg(&self.signing_key);
        shell::run_quietly(carrel.arg("--public-to").arg(&public)).map(drop)
    }

    fn migrate(&self) -> Result<()> {
        let _step = Step::begin("the database's migrations");
        self.ask(&["migrate", "up"]).map(drop).map_err(|error| {
            Failure::new("the database could not be migrated")
                .because(Failure::reason_of(&error))
                .mend("check DATABASE_URL; or, if our own data may go: cargo xtask up --fresh")
                .into()
        })
    }

    fn apply_exam(&self, workspace: &Workspace, image: &str) -> Result<()> {
        let sample = workspace.root.join("deploy/exams/linux-fundamentals.json");
        let sample = sample.display().to_string();
        let step = Step::begin("the exam to be proven on the runtime");
        // Proving makes an environment, which only the worker's account may.
        let apply = ["exams", "apply", "--file", &sample, "--image", image];
        let applied = data_of(&mut self.carrel_as(Account::Worker), &apply);
        let applied = applied.map_err(|error| {
            Failure::new("the sample exam could not be proven on the runtime")
                .because(Failure::reason_of(&error))
                .mend("mend what it names: environments of sessions would fail by it, too")
        })?;
        let (name, version) = (&applied["name"], &applied["version"]);
        let name = name.as_str().unwrap_or("linux-fundamentals");
        step.done("exam", &format!("{name} v{version}, proven"));
        Ok(())
    }
}

/// Runs the CLI and returns the `data` of its one JSON document.
fn data_of(carrel: &mut Command, arguments: &[&str]) -> Result<Value> {
    let output = shell::run_quietly(carrel.args(["--output", "json"]).args(arguments))?;
    let mut document: Value =
        serde_json::from_slice(&output.stdout).context("carrel printed no JSON document")?;
    Ok(document["data"].take())
}

fn build(workspace: &Workspace) -> Result<Products> {
    let step = Step::begin("the page to be built");
    let page = page::build(workspace)?;
    step.done("page", "built");
    let packages = [
        "carrel-api",
        "carrel-worker",
        "terminal-gateway",
        "carrel-operator",
    ];
    let mut cargo = workspace.cargo();
    cargo
        .arg("build")
        .args(packages.iter().flat_map(|name| ["--package", name]));
    shell::run_loudly(&mut cargo)?;
    let keeper = keeper::build(workspace)?;
    shell::done("processes", "built");
    Ok(Products {
        keeper,
        page,
        binaries: workspace.binary(""),
    })
}

fn given_database(url: &str, args: &UpArgs) -> Result<(String, Option<Database>)> {
    if args.fresh {
        return Err(Failure::new("--fresh empties only a database of our own")
            .because("DATABASE_URL names another one")
            .mend("unset DATABASE_URL, or empty that database yourself")
            .into());
    }
    shell::done("PostgreSQL", "the one DATABASE_URL names");
    Ok((url.to_owned(), None))
}

fn own_database(
    workspace: &Workspace,
    engine: &Engine,
    args: &UpArgs,
    state: &mut RunState,
) -> Result<(String, Option<Database>)> {
    let image = images::ensure(workspace, engine.client(), images::POSTGRES)?;
    let checkout = workspace.fingerprint();
    let name = format!("carrel-up-postgres-{checkout}");
    let volume = format!("carrel-up-data-{checkout}");
    if args.fresh {
        engine.client().remove(&name)?;
        engine.client().remove_volume(&volume)?;
    }
    let database = Database::start(
        engine.client(),
        &Wanted {
            name: &name,
            image: &image,
            label: ("carrel.up", &checkout),
            volume: Some(&volume),
            first_start: None,
            port: state.postgres_port(),
        },
    )?;
    state.remember_postgres_port(database.port)?;
    let (version, port) = (database.version(), database.port);
    let detail = format!("own instance, port {port}, data kept in volume {volume}");
    shell::done(&format!("PostgreSQL {version}"), &detail);
    Ok((database.url(), Some(database)))
}

/// The secret of last time, so that links of an earlier run stay good; else a new one.
fn secret(path: &Path) -> Result<String> {
    if let Ok(kept) = fs::read_to_string(path)
        && kept.len() == 64
    {
        return Ok(kept);
    }
    let secret = random::<32>()?;
    write_private(path, &secret)?;
    Ok(secret)
}

fn go_on(stop: &Stop) -> Result<()> {
    if stop.is_asked() {
        Err(Failure::new("stopped").into())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_secret_is_kept_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token-secret");
        let first = secret(&path).unwrap();
        assert_eq!(first, secret(&path).unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
