//! The container engine: found where the machine has one, else a Podman service of our own.

mod answer;
mod client;
mod service;

use std::path::PathBuf;

use anyhow::Result;

pub(crate) use self::client::{Client, ContainerSpec};
use self::service::Service;
use crate::failure::Failure;
use crate::http::Endpoint;
use crate::packages::is_root;
use crate::settings::Settings;

/// A container engine that answers.
#[derive(Debug)]
pub(crate) struct Engine {
    client: Client,
    docker_host: String,
    description: String,
    /// Ours to end, if we started it.
    service: Option<Service>,
}

impl Engine {
    /// Finds an engine, or starts one.
    ///
    /// A given `DOCKER_HOST` is the only candidate: silently using another engine would put
    /// containers where nobody looks for them.
    pub(crate) fn find_or_start(settings: &Settings) -> Result<Self> {
        if let Some(docker_host) = &settings.docker_host {
            let endpoint = parse(docker_host)?;
            return Self::answering(endpoint, None).map_err(|error| {
                Failure::new(format!(
                    "no container engine answers at DOCKER_HOST={docker_host}"
                ))
                .because(format!("{error:#}"))
                .mend("start that engine, or `unset DOCKER_HOST` to have one found or started")
                .into()
            });
        }
        for socket in known_sockets() {
            if let Ok(engine) = Self::answering(Endpoint::Unix(socket), None) {
                return Ok(engine);
            }
        }
        let service = Service::start()?;
        Self::answering(Endpoint::Unix(service.socket()), Some(service))
    }

    fn answering(endpoint: Endpoint, service: Option<Service>) -> Result<Self> {
        let docker_host = match &endpoint {
            Endpoint::Unix(path) => format!("unix://{}", path.display()),
            Endpoint::Tcp(address) => format!("tcp://{address}"),
        };
        let client = Client::new(endpoint);
        let version = client.version()?;
        let description = if service.is_some() {
            format!("{version} with runc, started for this run")
        } else {
            format!("{version} at {docker_host}")
        };
        Ok(Self {
            client,
            docker_host,
            description,
            service,
        })
    }

    /// The engine's API.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What `DOCKER_HOST` must be for this engine.
    pub(crate) fn docker_host(&self) -> &str {
        &self.docker_host
    }

    /// Process number of the service, if we started it.
    pub(crate) fn service_pid(&self) -> Option<u32> {
        self.service.as_ref().map(Service::pid)
    }

    /// Name and version, and whose it is.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }
}

fn parse(docker_host: &str) -> Result<Endpoint> {
    if let Some(path) = docker_host.strip_prefix("unix://") {
        return Ok(Endpoint::Unix(path.into()));
    }
    if let Some(address) = docker_host
        .strip_prefix("tcp://")
        .or_else(|| docker_host.strip_prefix("http://"))
    {
        return Ok(Endpoint::Tcp(address.trim_end_matches('/').to_owned()));
    }
    Err(
        Failure::new(format!("DOCKER_HOST={docker_host} is not understood"))
            .because("it must begin with unix:// or tcp://")
            .mend("export DOCKER_HOST=unix:///path/to/engine.sock")
            .into(),
    )
}

/// Where Docker and Podman listen when the machine runs them as a service.
fn known_sockets() -> Vec<PathBuf> {
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    if is_root() {
        sockets.push("/run/podman/podman.sock".into());
    } else {
        let user = rustix::process::getuid().as_raw();
        sockets.push(format!("/run/user/{user}/docker.sock").into());
        sockets.push(format!("/run/user/{user}/podman/podman.sock").into());
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_address_are_understood() {
        assert_eq!(
            parse("unix:///run/e.sock").unwrap(),
            Endpoint::Unix("/run/e.sock".into())
        );
        assert_eq!(
            parse("tcp://127.0.0.1:2375/").unwrap(),
            Endpoint::Tcp("127.0.0.1:2375".into())
        );
    }

    #[test]
    fn another_form_of_address_is_refused_with_an_example() {
        let error = parse("ssh://host").unwrap_err();
        assert!(
            error
                .downcast_ref::<Failure>()
                .unwrap()
                .next()
                .unwrap()
                .contains("unix://")
        );
    }
}
