//! Where an image's content comes from.

use std::process::Command;

use anyhow::Result;

use super::has_apt;
use crate::failure::Failure;
use crate::shell;

/// Where an image's content comes from on this machine.
#[derive(Debug)]
pub(crate) enum Sources {
    /// The package mirrors that this machine's own `apt` uses.
    Packages {
        /// One-line `deb …` entries.
        entries: Vec<String>,
        /// The release, such as `bookworm`.
        suite: String,
        /// Whether the mirrors are Debian's, and have its other releases.
        is_debian: bool,
    },
    /// Whatever the engine can pull.
    Dockerfile,
}

impl Sources {
    /// Asks `apt` for its mirrors. Guessing a mirror fails where only a local one is reachable.
    pub(crate) fn of_this_machine() -> Result<Self> {
        if !has_apt() {
            return Ok(Self::Dockerfile);
        }
        let format = "$(ORIGIN)|$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)";
        let output = shell::run_quietly(Command::new("apt-get").args([
            "indextargets",
            "--format",
            format,
            "Created-By: Packages",
        ]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Self::parse(&text).ok_or_else(|| {
            Failure::new("the machine's apt knows no Debian or Ubuntu mirror")
                .because("its package lists are empty")
                .mend("sudo apt-get update")
                .into()
        })
    }

    fn parse(targets: &str) -> Option<Self> {
        let targets: Vec<[&str; 3]> = targets
            .lines()
            .filter_map(|line| {
                let (origin, rest) = line.split_once('|')?;
                let (codename, entry) = rest.split_once('|')?;
                ["Debian", "Ubuntu"]
                    .contains(&origin)
                    .then_some([origin, codename, entry])
            })
            .collect();
        // The release itself has the shortest code name; the others are its updates.
        let [origin, suite, _] = *targets.iter().min_by_key(|[_, name, _]| name.len())?;
        let mut entries: Vec<String> = targets
            .iter()
            .filter(|[_, codename, _]| codename.starts_with(suite))
            .map(|[.., entry]| (*entry).to_owned())
            .collect();
        entries.sort();
        entries.dedup();
        Some(Self::Packages {
            entries,
            suite: suite.to_owned(),
            is_debian: origin == "Debian",
        })
    }

    /// The same mirrors' packages of another Debian release, or the Dockerfile where they have none.
    pub(crate) fn of_release(self, release: Option<&str>) -> Self {
        let (
            Some(release),
            Self::Packages {
                entries,
                suite,
                is_debian,
            },
        ) = (release, &self)
        else {
            return self;
        };
        if !is_debian {
            return Self::Dockerfile;
        }
        // Its updates come with it, as `bookworm-security` comes with `bookworm`.
        let (own, other) = (format!(" {suite}"), format!(" {release}"));
        let entries = entries.iter().map(|entry| entry.replace(&own, &other));
        let entries = entries.collect();
        Self::Packages {
            entries,
            suite: release.to_owned(),
            is_debian: true,
        }
    }

    /// What of the sources shapes an image: the release, not the mirror.
    pub(crate) fn fingerprint(&self) -> String {
        match self {
            Self::Packages { suite, .. } => format!("packages {suite} {}", std::env::consts::ARCH),
            Self::Dockerfile => format!("dockerfile {}", std::env::consts::ARCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_distribution_s_own_mirrors_are_used() {
        let targets = "\
Debian|bookworm|deb http://mirror/debian/ bookworm main
Debian|bookworm-security|deb http://mirror/debian-security/ bookworm-security main
Elsewhere|nodistro|deb http://elsewhere/node nodistro main
Debian|bookworm|deb http://mirror/debian/ bookworm main
";
        let Some(Sources::Packages { entries, suite, .. }) = Sources::parse(targets) else {
            panic!("the mirrors were not understood");
        };
        assert_eq!(suite, "bookworm");
        assert_eq!(entries.len(), 2, "{entries:?}");
    }

    #[test]
    fn another_release_comes_from_the_same_mirror_if_that_is_debian_s() {
        let of = |targets: &str| Sources::parse(targets).unwrap().of_release(Some("trixie"));
        let debian = of("\
Debian|bookworm|deb http://mirror/debian/ bookworm main
Debian|bookworm-security|deb http://mirror/debian-security/ bookworm-security main
");
        let Sources::Packages { entries, suite, .. } = debian else {
            panic!("the mirror has every release");
        };
        assert_eq!(suite, "trixie");
        let security = "deb http://mirror/debian-security/ trixie-security main";
        assert_eq!(entries, [security, "deb http://mirror/debian/ trixie main"]);
        let ubuntu = of("Ubuntu|noble|deb http://mirror/ubuntu/ noble main\n");
        assert!(matches!(ubuntu, Sources::Dockerfile));
    }

    #[test]
    fn a_machine_without_package_lists_has_no_sources() {
        assert!(Sources::parse("").is_none());
    }
}
