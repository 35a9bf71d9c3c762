//! The command line, parsed by hand: an argument library would double the binary.

mod flags;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flags::Flags;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
carrel-keeper: PID 1 of an environment

run    [--socket PATH] [--workdir DIR] [--hold-ms N] [--open-files N] [--processes N]
       [--prove-within-ms N --instance ID [--probe IP:PORT]… [--pids N]] -- SHELL [ARG…]
       owns the shell and its terminal until SIGTERM; --hold-ms (default 10000): how long
       unacknowledged output of a lost client blocks the shell before it may be overwritten;
       --open-files, --processes: limits set before anybody may attach, which the shell inherits;
       --prove-within-ms: first prints what isolates this environment as one line of JSON that
       names --instance, looking again for N ms at most while anything answers; --pids: tries
       whether more tasks than N can exist
attach [--socket PATH] [--instance ID] --epoch N
       relays frames between standard input/output and the keeper; refused where CARREL_INSTANCE
       is another ID
install PATH
       copies this binary to PATH and makes the folder `sealed` beside it, for its owner only
verify [--probe IP:PORT]…
       prints what isolates this environment as one JSON document
stop   [--socket PATH]
       asks the keeper to end everything

PATH is /run/carrel/keeper.sock by default, DIR is /.
";

/// The hidden verb by which the keeper turns its child into the shell.
pub(crate) const START_SHELL: &str = "start-shell";

/// Long enough for a terminal process to be replaced, short enough that a program whose reader
/// is gone for good runs on soon.
const HOLD: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Keep a shell.
    Run(RunArgs),
    /// Relay frames.
    Attach(AttachArgs),
    /// Copy this binary.
    Install { path: PathBuf },
    /// Report on isolation.
    Verify { probes: Vec<SocketAddr> },
    /// End the keeper.
    Stop { socket: PathBuf },
    /// Become the shell, in a session of its own.
    StartShell { argv: Vec<OsString> },
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

/// The settings of `run`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunArgs {
    /// Where to listen.
    pub(crate) socket: PathBuf,
    /// Where the shell starts.
    pub(crate) workdir: PathBuf,
    /// How long unacknowledged output of a lost client is kept by blocking the shell.
    pub(crate) hold: Duration,
    /// Limits of every process from the keeper on.
    pub(crate) limits: ProcessLimits,
    /// What to prove before anybody may attach.
    pub(crate) proof: Option<ProofArgs>,
    /// The shell and its arguments; never empty.
    pub(crate) shell: Vec<OsString>,
}

/// Resource limits that are inherited; `None` leaves one as it was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ProcessLimits {
    /// Open files of one process.
    pub(crate) open_files: Option<u64>,
    /// Processes and threads of one user.
    pub(crate) processes: Option<u64>,
}

/// What the printed report must say and try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ProofArgs {
    /// Which object of the runtime this is.
    pub(crate) instance: String,
    /// How long answers from the network may go on before they count.
    pub(crate) within: Duration,
    /// What must not answer, beside what is always tried.
    pub(crate) probes: Vec<SocketAddr>,
    /// How many tasks to try to exceed.
    pub(crate) pids: Option<u64>,
}

/// The settings of `attach`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttachArgs {
    /// Where the keeper listens.
    pub(crate) socket: PathBuf,
    /// Which object of the runtime is meant.
    pub(crate) instance: Option<String>,
    /// The epoch that OPEN must name.
    pub(crate) epoch: i64,
}

/// Reads the arguments after the program's name; the error is for people.
pub(crate) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Verb, String> {
    let verb = words
        .next()
        .ok_or("a verb is missing: run, attach, install, verify or stop")?;
    let verb = verb.to_string_lossy().into_owned();
    if verb == START_SHELL {
        return Ok(Verb::StartShell {
            argv: words.collect(),
        });
    }
    if verb == "install" {
        return install(words);
    }
    let mut flags = Flags::read(words)?;
    let parsed = match verb.as_str() {
        "run" => Verb::Run(run(&mut flags)?),
        "attach" => Verb::Attach(AttachArgs {
            socket: flags.socket(),
            instance: flags.text("--instance")?,
            epoch: flags
                .number("--epoch")?
                .ok_or("attach: --epoch is missing")?,
        }),
        "verify" => Verb::Verify {
            probes: flags.probes()?,
        },
        "stop" => Verb::Stop {
            socket: flags.socket(),
        },
        "--help" | "-h" | "help" => Verb::Help,
        "--version" | "-V" => Verb::Version,
        other => return Err(format!("unknown verb {other:?}; see --help")),
    };
    flags.nothing_left()?;
    Ok(parsed)
}

fn run(flags: &mut Flags) -> Result<RunArgs, String> {
    let workdir = flags.take("--workdir");
    let hold = flags.number("--hold-ms")?;
    Ok(RunArgs {
        socket: flags.socket(),
        workdir: workdir.map_or_else(|| PathBuf::from("/"), PathBuf::from),
        hold: hold.map_or(HOLD, Duration::from_millis),
        limits: ProcessLimits {
            open_files: flags.number("--open-files")?,
            processes: flags.number("--processes")?,
        },
        proof: proof(flags)?,
        shell: flags.shell()?,
    })
}

/// Without `--prove-within-ms` the flags of a proof are left over, and so refused.
fn proof(flags: &mut Flags) -> Result<Option<ProofArgs>, String> {
    let Some(within) = flags.number("--prove-within-ms")? else {
        return Ok(None);
    };
    Ok(Some(ProofArgs {
        instance: flags
            .text("--instance")?
            .filter(|instance| !instance.is_empty())
            .ok_or("run: --prove-within-ms needs --instance")?,
        within: Duration::from_millis(within),
        probes: flags.probes()?,
        pids: flags.number("--pids")?,
    }))
}

fn install(mut words: impl Iterator<Item = OsString>) -> Result<Verb, String> {
    match (words.next().map(PathBuf::from), words.next()) {
        (Some(path), None) if path.is_absolute() => Ok(Verb::Install { path }),
        _ => Err("install needs one absolute path".into()),
    }
}

#[cfg(test)]
mod tests {
    use carrel_keeper::SOCKET_PATH;

    use super::*;

    fn words(line: &str) -> impl Iterator<Item = OsString> {
        line.split_whitespace()
            .map(OsString::from)
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn run_takes_everything_after_the_dashes_as_the_shell() {
        let verb = parse(words("run --socket /s --workdir /w -- /bin/bash -l --norc")).unwrap();
        let Verb::Run(run) = verb else {
            panic!("{verb:?}")
        };
        assert_eq!(run.socket, PathBuf::from("/s"));
        assert_eq!(run.shell, ["/bin/bash", "-l", "--norc"].map(OsString::from));
        assert_eq!(run.hold, HOLD);
    }

    #[test]
    fn attach_uses_the_default_socket() {
        let verb = parse(words("attach --epoch 7")).unwrap();
        assert_eq!(
            verb,
            Verb::Attach(AttachArgs {
                socket: SOCKET_PATH.into(),
                instance: None,
                epoch: 7
            })
        );
    }

    #[test]
    fn a_proof_takes_its_instance_and_all_its_probes() {
        let line = "run --prove-within-ms 5 --instance a --probe 1.2.3.4:5 --probe fd00::1:10250 \
                    --pids 9 --open-files 7 --processes 8 -- sh";
        let Verb::Run(run) = parse(words(line)).unwrap() else {
            panic!("{line}")
        };
        let limits = ProcessLimits {
            open_files: Some(7),
            processes: Some(8),
        };
        assert_eq!(run.limits, limits);
        let proof = run.proof.unwrap();
        assert_eq!((proof.instance.as_str(), proof.pids), ("a", Some(9)));
        let probes: Vec<String> = proof.probes.iter().map(ToString::to_string).collect();
        assert_eq!(probes, ["1.2.3.4:5", "[fd00::1]:10250"]);
    }

    #[test]
    fn wrong_lines_are_named() {
        for line in [
            "",
            "fly",
            "attach",
            "attach --epoch x",
            "run",
            "run --",
            "verify --probe host",
            "run --prove-within-ms 5 -- sh",
            "run --probe 1.2.3.4:5 -- sh",
            "run --instance a -- sh",
            "install",
            "install here",
            "install /a /b",
        ] {
            assert!(parse(words(line)).is_err(), "{line:?}");
        }
        assert!(
            parse(words("stop --color red"))
                .unwrap_err()
                .contains("--color")
        );
    }
}
