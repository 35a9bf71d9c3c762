//! The commands that run tests, each told where the parts are.

use std::process::Command;

use super::TestArgs;
use super::parts::Parts;
use super::totals::Runner;
use super::watch::Results;
use crate::packages::find_program;
use crate::page;
use crate::workspace::Workspace;

/// A command and what it is.
pub(super) type Step = (Runner, Command);

/// What the commands are made of.
pub(super) struct Runners<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) args: &'a TestArgs,
    /// Cargo's arguments for the suites behind features.
    pub(super) features: Vec<String>,
    pub(super) parts: Parts,
}

impl Runners<'_> {
    /// Cargo's own runner over the suites that were asked for, or those of them that `more` chooses,
    /// each started by a script that knows which of them wait more than they work.
    pub(super) fn cargo(&self, lane: usize, more: &[String]) -> Command {
        let started_by = self.workspace.root.join("crates/xtask/src/test/runner.sh");
        let started_by = started_by.display().to_string();
        let mut cargo = self.workspace.cargo();
        cargo
            .arg("--config")
            .arg(format!(
                "target.'cfg(unix)'.runner = ['sh', {started_by:?}]"
            ))
            .args(["test", "--no-fail-fast"])
            .args(more)
            .args(&self.features);
        if self.args.is_whole() {
            // Its lines are read.
            cargo.arg("--workspace").env("CARGO_TERM_COLOR", "never");
        }
        cargo.args(&self.args.cargo);
        cargo.env("CARREL_TEST_INTENSITY", self.args.intensity.as_str());
        self.parts.give_to(lane, &mut cargo);
        cargo
    }

    /// The runners besides Cargo. One that cannot be made ready has failed, and the others run.
    pub(super) fn others(&self, lane: usize, results: &mut Results) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.args.no_frontend {
            match page::install(self.workspace) {
                Ok(folder) => {
                    let mut npm = page::npm(&folder);
                    npm.arg("test");
                    self.parts.give_to(lane, &mut npm);
                    steps.push((Runner::Vitest, npm));
                }
                Err(error) => results.note_failure(&error),
            }
        }
        if self.args.is_whole() && find_program("go").is_some() {
            steps.push((Runner::Go, of_the_cluster(self.workspace)));
        }
        steps
    }
}

/// The tests of the cluster's own enforcer of policies; with the build's settings, and without the
/// vetting that would have Go compile Kubernetes once more.
fn of_the_cluster(workspace: &Workspace) -> Command {
    let mut go = Command::new("go");
    go.current_dir(workspace.root.join("tests/cluster"))
        .args(["test", "-vet=off", "-trimpath", "-v", "./netpol"])
        .env("CGO_ENABLED", "0");
    go
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/test/runner.sh");

    /// Whether somebody else is let into the room while a program of that name runs.
    fn is_let_in(folder: &Path, program: &str, asked: &str) -> bool {
        let path = folder.join(program);
        symlink("/bin/sh", &path).unwrap();
        let asked = format!("flock --nonblock {asked} \"$CARREL_BIN_DIR/system-tests.room\" true");
        let mut started = Command::new("sh");
        started.arg(RUNNER).arg(path).args(["-c", &asked]);
        let ended = started.env("CARREL_BIN_DIR", folder).status().unwrap();
        ended.success()
    }

    #[test]
    fn who_compares_times_has_the_room_alone_and_a_second_cluster_shares_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (program, with_others, alone) in [
            ("indistinguishable-0", false, false),
            ("cluster-0", true, false),
            ("sessions-0", true, true),
        ] {
            assert_eq!(
                is_let_in(folder, program, "--shared"),
                with_others,
                "{program}"
            );
            std::fs::remove_file(folder.join(program)).unwrap();
            assert_eq!(
                is_let_in(folder, program, "--exclusive"),
                alone,
                "{program}"
            );
        }
        for lock in ["system-tests.door", "system-tests.room"] {
            let left = File::open(folder.join(lock)).unwrap();
            left.try_lock().expect("it is let go of");
        }
    }
}
