//! The few calls to the engine's API that building and running need.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};

use crate::http::{Body, Endpoint, Request, Response};

use super::answer::{accept, accept_stream, quote, without_frames};

/// Silence after which a quick call is given up.
const QUICK: Duration = Duration::from_secs(30);
/// Importing an image writes it out before it answers.
const LONG: Duration = Duration::from_mins(15);

const HOUR: u64 = 3600;

/// A container to start.
#[derive(Debug)]
pub(crate) struct ContainerSpec<'a> {
    /// Its unique name.
    pub(crate) name: &'a str,
    /// Image reference.
    pub(crate) image: &'a str,
    /// `NAME=value` each.
    pub(crate) environment: &'a [String],
    /// Labels, by which we know our own.
    pub(crate) labels: &'a [(&'a str, &'a str)],
    /// `source:target[:options]` each; the source a folder or the name of a volume.
    pub(crate) binds: &'a [String],
    /// What it runs, for the image's entrypoint.
    pub(crate) command: &'a [String],
}

/// The engine's API.
#[derive(Debug, Clone)]
pub(crate) struct Client(Endpoint);

impl Client {
    /// A client of the engine that listens there.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }

    /// Name and version, such as `Podman 4.3.1`.
    pub(crate) fn version(&self) -> Result<String> {
        let answer = self.call("GET", "/version", Body::Empty, QUICK)?;
        let document = accept(answer, "ask the engine for its version")?.json()?;
        let component = document["Components"]
            .as_array()
            .and_then(|parts| parts.first());
        let name = component
            .and_then(|part| part["Name"].as_str())
            .unwrap_or("Docker");
        let name = name.split([' ', '-']).next().unwrap_or(name);
        let version = document["Version"].as_str().unwrap_or("of unknown version");
        Ok(format!("{name} {version}"))
    }

    /// Whether the engine has an image of that reference.
    pub(crate) fn has_image(&self, reference: &str) -> Result<bool> {
        let answer = self.call(
            "GET",
            &format!("/images/{reference}/json"),
            Body::Empty,
            QUICK,
        )?;
        match answer.status {
            404 => Ok(false),
            _ => accept(answer, "look for an image").map(|_| true),
        }
    }

    /// Makes an image of a root file system, with Dockerfile instructions for its settings.
    pub(crate) fn import(&self, tar: &Path, reference: &str, changes: &[String]) -> Result<()> {
        // The tag goes with the name: Podman 4.3 does not read the parameter of its own.
        let mut path = format!("/images/create?fromSrc=-&repo={}", quote(reference));
        for change in changes {
            path.push_str("&changes=");
            path.push_str(&quote(change));
        }
        let answer = self.call("POST", &path, Body::Tar(File::open(tar)?), LONG)?;
        accept_stream(answer, "import an image")
    }

    /// Builds an image from a tar of a folder with a Dockerfile.
    pub(crate) fn build(&self, context: &Path, reference: &str) -> Result<()> {
        let path = format!("/build?t={}&rm=1&forcerm=1", quote(reference));
        let answer = self.call("POST", &path, Body::Tar(File::open(context)?), LONG)?;
        accept_stream(answer, "build an image")
    }

    /// Removes the images of one name that were made more than an hour ago, but for those in use.
    /// Whoever made a younger one may still be about to use it.
    pub(crate) fn remove_older_images(&self, repository: &str) -> Result<()> {
        let filters = json!({ "reference": [repository] }).to_string();
        let path = format!("/images/json?filters={}", quote(&filters));
        let found = accept(self.call("GET", &path, Body::Empty, QUICK)?, "list images")?.json()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        for image in found.as_array().into_iter().flatten() {
            let made = image["Created"].as_u64().unwrap_or(now);
            let names = image["RepoTags"].as_array().into_iter().flatten();
            let ours = |name: &&str| name.rsplit_once(':').is_some_and(|it| it.0 == repository);
            for name in names.filter_map(Value::as_str).filter(ours) {
                if made + HOUR < now {
                    // One in use stays, and the engine says so.
                    self.call("DELETE", &format!("/images/{name}"), Body::Empty, QUICK)?;
                }
            }
        }
        Ok(())
    }

    /// Writes an image to a file, as `docker save` does. It passes through memory: ours are small.
    pub(crate) fn save(&self, reference: &str, archive: &Path) -> Result<()> {
        let path = format!("/images/{reference}/get");
        let answer = self.call("GET", &path, Body::Empty, LONG)?;
        let answer = accept(answer, "save an image")?;
        Ok(std::fs::write(archive, answer.body)?)
    }

    /// Creates and starts a container on the machine's own network.
    pub(crate) fn start(&self, spec: &ContainerSpec<'_>) -> Result<()> {
        let labels: Value = spec
            .labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), json!(v)))
            .collect();
        let document = json!({
            "Image": spec.image,
            "Env": spec.environment,
            "Labels": labels,
            "Cmd": spec.command,
            "HostConfig": {
                "Binds": spec.binds,
                // The machine's own network: a network of the container's own needs rights and
                // kernel parts that an ordinary user often lacks.
                "NetworkMode": "host",
                // Some machines' hard limits are below the engine's defaults, and it may not
                // raise them; these are low enough everywhere.
                "Ulimits": [
                    { "Name": "nofile", "Soft": 1024, "Hard": 2048 },
                    { "Name": "nproc", "Soft": 4096, "Hard": 4096 },
                ],
            },
        });
        let path = format!("/containers/create?name={}", quote(spec.name));
        accept(
            self.call("POST", &path, Body::Json(&document), QUICK)?,
            "create a container",
        )?;
        let path = format!("/containers/{}/start", spec.name);
        let started = self.call("POST", &path, Body::Empty, QUICK);
        let started = started.and_then(|answer| accept(answer, "start a container"));
        if started.is_err() {
            self.remove(spec.name).ok();
        }
        started.map(drop)
    }

    /// What a container has printed so far.
    pub(crate) fn logs(&self, name: &str) -> Result<String> {
        let path = format!("/containers/{name}/logs?stdout=true&stderr=true");
        let answer = self.call("GET", &path, Body::Empty, QUICK)?;
        Ok(without_frames(
            &accept(answer, "read a container's output")?.body,
        ))
    }

    /// Whether the container runs; `None` where there is none of that name.
    pub(crate) fn is_running(&self, name: &str) -> Result<Option<bool>> {
        let path = format!("/containers/{name}/json");
        let answer = self.call("GET", &path, Body::Empty, QUICK)?;
        if answer.status == 404 {
            return Ok(None);
        }
        let document = accept(answer, "look at a container")?.json()?;
        Ok(Some(document["State"]["Running"] == true))
    }

    /// Asks a container to end and waits for it; absent or ended already is fine.
    pub(crate) fn stop(&self, name: &str, limit: Duration) -> Result<()> {
        let path = format!("/containers/{name}/stop?t={}", limit.as_secs());
        let answer = self.call("POST", &path, Body::Empty, limit + QUICK)?;
        match answer.status {
            304 | 404 => Ok(()),
            _ => accept(answer, "stop a container").map(drop),
        }
    }

    /// Removes a container and its unnamed volumes; absent is fine.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = format!("/containers/{name}?force=true&v=true");
        let answer = self.call("DELETE", &path, Body::Empty, QUICK)?;
        match answer.status {
            404 => Ok(()),
            _ => accept(answer, "remove a container").map(drop),
        }
    }

    /// Names of all containers, running or not, that bear a label of that value.
    pub(crate) fn containers_labelled(&self, label: &str, value: &str) -> Result<Vec<String>> {
        let found = self.list(&format!("{label}={value}"))?;
        Ok(found
            .iter()
            .filter_map(|it| Some(it["Id"].as_str()?.to_owned()))
            .collect())
    }

    /// Values of one label on all containers that bear another label of that value.
    pub(crate) fn label_values(
        &self,
        label: &str,
        value: &str,
        wanted: &str,
    ) -> Result<BTreeSet<String>> {
        let found = self.list(&format!("{label}={value}"))?;
        let values = found.iter().filter_map(|it| it["Labels"][wanted].as_str());
        Ok(values.map(str::to_owned).collect())
    }

    /// Ids of all containers that bear a label, each with its value.
    pub(crate) fn label_owners(&self, label: &str) -> Result<Vec<(String, String)>> {
        let owner = |it: &Value| {
            Some((
                it["Id"].as_str()?.to_owned(),
                it["Labels"][label].as_str()?.to_owned(),
            ))
        };
        Ok(self.list(label)?.iter().filter_map(owner).collect())
    }

    /// Lists all containers, running or not, that fit a label or a `label=value`.
    fn list(&self, label: &str) -> Result<Vec<Value>> {
        let filters = json!({ "label": [label] }).to_string();
        let path = format!("/containers/json?all=true&filters={}", quote(&filters));
        let answer = accept(
            self.call("GET", &path, Body::Empty, QUICK)?,
            "list containers",
        )?;
        Ok(answer.json()?.as_array().cloned().unwrap_or_default())
    }

    /// Removes a named volume and its data; absent is fine.
    pub(crate) fn remove_volume(&self, name: &str) -> Result<()> {
        let path = format!("/volumes/{name}");
        let answer = self.call("DELETE", &path, Body::Empty, QUICK)?;
        match answer.status {
            404 => Ok(()),
            _ => accept(answer, "remove a volume").map(drop),
        }
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        body: Body<'_>,
        timeout: Duration,
    ) -> Result<Response> {
        self.0.send(Request {
            method,
            path,
            headers: &[],
            body,
            timeout,
        })
    }
}
