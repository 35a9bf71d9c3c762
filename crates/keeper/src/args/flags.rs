use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use carrel_keeper::SOCKET_PATH;
use carrel_keeper::report::read_target;

/// `--name value` pairs, then what follows `--`.
pub(super) struct Flags {
    pairs: Vec<(String, OsString)>,
    rest: Option<Vec<OsString>>,
}

impl Flags {
    pub(super) fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
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

    pub(super) fn take(&mut self, name: &str) -> Option<OsString> {
        let place = self.pairs.iter().position(|(given, _)| given == name)?;
        Some(self.pairs.remove(place).1)
    }

    pub(super) fn socket(&mut self) -> PathBuf {
        self.take("--socket")
            .map_or_else(|| PathBuf::from(SOCKET_PATH), PathBuf::from)
    }

    pub(super) fn number<N: std::str::FromStr>(&mut self, name: &str) -> Result<Option<N>, String> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = value.to_str().and_then(|text| text.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| format!("{name}: {} is no number", value.display()))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        let value = self.take(name).map(OsString::into_string).transpose();
        value.map_err(|_| format!("{name}: not UTF-8"))
    }

    pub(super) fn probes(&mut self) -> Result<Vec<SocketAddr>, String> {
        let mut probes = Vec::new();
        while let Some(target) = self.take("--probe") {
            let target = target.into_string().map_err(|_| "--probe: not UTF-8")?;
            let address = read_target(&target);
            probes.push(address.ok_or_else(|| format!("--probe: {target:?} is not IP:PORT"))?);
        }
        Ok(probes)
    }

    pub(super) fn shell(&mut self) -> Result<Vec<OsString>, String> {
        match self.rest.take() {
            Some(argv) if !argv.is_empty() => Ok(argv),
            _ => Err("run: the shell is missing after --".into()),
        }
    }

    pub(super) fn nothing_left(&self) -> Result<(), String> {
        if let Some((name, _)) = self.pairs.first() {
            return Err(format!("unknown flag {name}; see --help"));
        }
        if self.rest.is_some() {
            return Err("unexpected arguments after --".into());
        }
        Ok(())
    }
}
