//! Carrel's three processes, kept running.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::UpArgs;
use super::demo::{self, Demo};
use super::installation::Account;
use super::parts::Parts;
use super::process::{self, Plan, Process};
use super::run_state::RunState;
use crate::failure::Failure;
use crate::http::Endpoint;
use crate::shell::{self, Step};
use crate::stop::{Stop, Waited};

/// Time for a process to say that it is ready; seen: under 1 s each.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// A process that ends this soon after its start, this often in a row, would only do it again.
const TOO_SOON: Duration = Duration::from_secs(3);
const TOO_OFTEN: u32 = 3;

/// The running processes.
#[derive(Debug)]
pub(crate) struct System<'a> {
    parts: &'a Parts,
    api: Endpoint,
    /// In the order in which they are ended: nobody new is let in, then nothing new is begun.
    processes: Vec<Kept>,
}

/// A process and how long it lasts.
#[derive(Debug)]
struct Kept {
    process: Process,
    since: Instant,
    /// Starts in a row that did not last.
    short_lived: u32,
}

impl<'a> System<'a> {
    /// Starts the processes and waits until each is ready.
    pub(crate) fn start(
        parts: &'a Parts,
        args: &UpArgs,
        state: &mut RunState,
        stop: &Stop,
    ) -> Result<Self> {
        let mut system = Self {
            parts,
            api: tcp(args.api_port),
            processes: Vec::new(),
        };
        let step = Step::begin("api, worker and terminal to start");
        for plan in plans(parts, args) {
            process::begin_log(&plan, &parts.folder)?;
            let process = Process::start(&plan, &parts.folder)?;
            state.add(plan.name, process.pid())?;
            system.processes.push(Kept {
                process,
                since: Instant::now(),
                short_lived: 0,
            });
        }
        for Kept { process, .. } in &mut system.processes {
            let name = process.plan().name;
            match stop.wait_until(READY_LIMIT, || process.is_ready())? {
                Waited::Ready => {}
                Waited::Stopped => return Err(Failure::new("stopped").into()),
                Waited::TooLong => {
                    return Err(process.failure(&format!("{name} does not become ready")));
                }
            }
        }
        let (api, terminal) = (args.api_port, args.terminal_port);
        step.done(
            &format!("api 127.0.0.1:{api} · worker ×1 · terminal 127.0.0.1:{terminal}"),
            "",
        );
        Ok(system)
    }

    /// Creates the demo session and waits until it is ready.
    pub(crate) fn start_demo(&self, stop: &Stop) -> Result<Demo> {
        demo::start(self.parts, &self.api, stop)
    }

    /// Starts again what has ended; an error when it ends over and over.
    pub(crate) fn revive(&mut self, state: &mut RunState) -> Result<()> {
        for kept in &mut self.processes {
            let Some(how) = kept.process.ended()? else {
                continue;
            };
            let name = kept.process.plan().name;
            let soon = kept.since.elapsed() < TOO_SOON;
            kept.short_lived = if soon { kept.short_lived + 1 } else { 0 };
            if kept.short_lived >= TOO_OFTEN {
                return Err(kept
                    .process
                    .failure(&format!("{name} {how}, again and again")));
            }
            shell::say(&format!("  {name} {how}; starting it again"));
            kept.process = Process::start(&kept.process.plan().clone(), &self.parts.folder)?;
            kept.since = Instant::now();
            state.add(name, kept.process.pid())?;
        }
        Ok(())
    }

    /// Ends the demo's environment, then the processes, then environments that are left.
    pub(crate) fn end(mut self, demo: &Demo) {
        let _step = Step::begin("environments and processes to end");
        demo.end(&self.api);
        while !self.processes.is_empty() {
            drop(self.processes.remove(0));
        }
        demo.remove_left_environments(self.parts.engine.client());
    }
}

fn plans(parts: &Parts, args: &UpArgs) -> [Plan; 3] {
    let page = format!("http://127.0.0.1:{}", args.api_port);
    let terminal = format!("http://127.0.0.1:{}", args.terminal_port);
    let admin = |offset: u16| ("CARREL_ADMIN_LISTEN", address(args.admin_port + offset));
    let plan = |name, binary: &str, probe, shared, own: Vec<(&'static str, String)>| Plan {
        name,
        binary: parts.built.binaries.join(binary),
        environment: [shared, own].concat(),
        probe,
    };
    [
        plan(
            "api",
            "carrel-api",
            tcp(args.api_port),
            parts.settings(),
            vec![
                ("CARREL_LISTEN", address(args.api_port)),
                admin(0),
                ("CARREL_PAGE_DIR", parts.built.page.display().to_string()),
                ("CARREL_PAGE_ORIGINS", page.clone()),
                ("CARREL_TERMINAL_URL", terminal),
            ],
        ),
        plan(
            "terminal",
            "carrel-terminal",
            tcp(args.terminal_port),
            parts.settings_of(Account::Terminal),
            vec![
                ("CARREL_TERMINAL_LISTEN", address(args.terminal_port)),
                ("CARREL_TERMINAL_ADMIN_LISTEN", address(args.admin_port + 2)),
                ("CARREL_PAGE_ORIGINS", page),
                (
                    "CARREL_RECORDING_SPOOL",
                    parts.folder.join("recordings").display().to_string(),
                ),
                (
                    "CARREL_RECORDING_SIGNING_KEY_FILE",
                    parts.signing_key.display().to_string(),
                ),
            ],
        ),
        plan(
            "worker",
            "carrel-worker",
            tcp(args.admin_port + 1),
            parts.settings_of(Account::Worker),
            vec![admin(1)],
        ),
    ]
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn tcp(port: u16) -> Endpoint {
    Endpoint::Tcp(address(port))
}

/// Names a port that is taken, and the flag that chooses another, before anything is started.
pub(crate) fn require_free_ports(args: &UpArgs) -> Result<()> {
    let admin = |offset| args.admin_port.checked_add(offset);
    let wanted = [
        ("--api-port", Some(args.api_port)),
        ("--terminal-port", Some(args.terminal_port)),
        ("--admin-port", admin(0)),
        ("--admin-port", admin(1)),
        ("--admin-port", admin(2)),
    ];
    for (flag, port) in wanted {
        let Some(port) = port else {
            return Err(
                Failure::new(format!("{flag} {} leaves no room", args.admin_port))
                    .mend(format!("cargo xtask up {flag} 9180"))
                    .into(),
            );
        };
        if let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
            return Err(Failure::new(format!("port {port} cannot be used"))
                .because(error)
                .mend(format!(
                    "cargo xtask up {flag} {}",
                    port.wrapping_add(100).max(1024)
                ))
                .into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::ClusterArgs;
    use crate::up::Runtime;

    fn args(api_port: u16, admin_port: u16) -> UpArgs {
        UpArgs {
            api_port,
            terminal_port: 0,
            admin_port,
            fresh: false,
            once: false,
            runtime: Runtime::Engine,
            cluster: ClusterArgs::default(),
            node_pids: None,
        }
    }

    #[test]
    fn a_taken_port_is_named_with_its_flag() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = require_free_ports(&args(port, 0)).unwrap_err();
        assert!(error.to_string().contains(&port.to_string()));
        assert!(
            error
                .downcast_ref::<Failure>()
                .unwrap()
                .next()
                .unwrap()
                .contains("--api-port")
        );
    }

    #[test]
    fn ports_beyond_the_last_are_refused() {
        assert!(require_free_ports(&args(0, u16::MAX)).is_err());
    }
}
