//! The command line, parsed by hand: an argument library would double the binary.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use carrel_keeper::SOCKET_PATH;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
carrel-keeper: PID 1 of an environment

run    [--socket PATH] [--workdir DIR] [--hold-ms N] -- SHELL [ARG…]
       owns the shell and its terminal until SIGTERM; --hold-ms (default 10000): how long
       unacknowledged output of a lost client blocks the shell before it may be overwritten
attach [--socket PATH] --epoch N
       relays frames between standard input/output and the keeper
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
    Attach { socket: PathBuf, epoch: i64 },
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
    /// The shell and its arguments; never empty.
    pub(crate) shell: Vec<OsString>,
}

/// Reads the arguments after the program's name; the error is for people.
pub(crate) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Verb, String> {
    let verb = words
        .next()
        .ok_or("a verb is missing: run, attach, verify or stop")?;
    let verb = verb.to_string_lossy().into_owned();
    if verb == START_SHELL {
        return Ok(Verb::StartShell {
            argv: words.collect(),
        });
    }
    let mut flags = Flags::read(words)?;
    let parsed = match verb.as_str() {
        "run" => Verb::Run(RunArgs {
            socket: flags.socket(),
            workdir: flags
                .take("--workdir")
                .map_or_else(|| PathBuf::from("/"), PathBuf::from),
            hold: flags
                .number("--hold-ms")?
                .map_or(HOLD, Duration::from_millis),
            shell: flags.shell()?,
        }),
        "attach" => Verb::Attach {
            socket: flags.socket(),
            epoch: flags
                .number("--epoch")?
                .ok_or("attach: --epoch is missing")?,
        },
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

/// `--name value` pairs, then what follows `--`.
struct Flags {
    pairs: Vec<(String, OsString)>,
    rest: Option<Vec<OsString>>,
}

impl Flags {
    fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut pairs = Vec::new();
        while let Some(word) = words.next() {
            let name = word.to_string_lossy().into_owned();
            if name == "--" {
                return Ok(Self {
                    pairs,
                    rest: Some(words.collect()),
                });
            }
            if !name.starts_with("--") {
                return Err(format!("unexpected argument {name:?}; see --help"));
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            pairs.push((name, value));
        }
        Ok(Self { pairs, rest: None })
    }

    fn take(&mut self, name: &str) -> Option<OsString> {
        let place = self.pairs.iter().position(|(given, _)| given == name)?;
        Some(self.pairs.remove(place).1)
    }

    fn socket(&mut self) -> PathBuf {
        self.take("--socket")
            .map_or_else(|| PathBuf::from(SOCKET_PATH), PathBuf::from)
    }

    fn number<N: std::str::FromStr>(&mut self, name: &str) -> Result<Option<N>, String> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = value.to_str().and_then(|text| text.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| format!("{name}: {} is no number", value.display()))
    }

    fn probes(&mut self) -> Result<Vec<SocketAddr>, String> {
        let mut probes = Vec::new();
        while let Some(target) = self.take("--probe") {
            let target = target.into_string().map_err(|_| "--probe: not UTF-8")?;
            // A static binary cannot resolve names safely: the C library would load the image's
            // resolver modules, which belong to another C library.
            let address = target.parse::<SocketAddr>();
            probes.push(address.map_err(|_| format!("--probe: {target:?} is not IP:PORT"))?);
        }
        Ok(probes)
    }

    fn shell(&mut self) -> Result<Vec<OsString>, String> {
        match self.rest.take() {
            Some(argv) if !argv.is_empty() => Ok(argv),
            _ => Err("run: the shell is missing after --".into()),
        }
    }

    fn nothing_left(&self) -> Result<(), String> {
        if let Some((name, _)) = self.pairs.first() {
            return Err(format!("unknown flag {name}; see --help"));
        }
        if self.rest.is_some() {
            return Err("unexpected arguments after --".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
            Verb::Attach {
                socket: SOCKET_PATH.into(),
                epoch: 7
            }
        );
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
