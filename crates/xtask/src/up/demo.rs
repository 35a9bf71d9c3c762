//! The demo session: requested as an exam platform would, over the api.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::parts::Parts;
use crate::engine::Client;
use crate::failure::Failure;
use crate::http::{Body, Endpoint, Request, Response};
use crate::shell::Step;
use crate::stop::{Stop, Waited};

/// Who takes the demo exam.
const USER: &str = "demo";
/// The exam's own startup budget, and a little for the sweep that enforces it.
const READY_LIMIT: Duration = Duration::from_secs(70);
/// Time for a finished session's environment to be confirmed gone; seen: under 1 s.
const GONE_LIMIT: Duration = Duration::from_secs(10);
/// Quick calls on loopback.
const QUICK: Duration = Duration::from_secs(10);

/// The session that was made.
#[derive(Debug)]
pub(crate) struct Demo {
    /// Its id.
    pub(crate) session_id: String,
    /// What the candidate opens.
    pub(crate) link: String,
    /// May do what an exam platform may.
    service_token: String,
    /// Values of the label by which the engine knows the environments of this database. A cluster
    /// has them in a namespace of the run's, which goes as a whole.
    installs: BTreeSet<String>,
}

/// Creates the session and waits until its environment is proven.
pub(crate) fn start(parts: &Parts, api: &Endpoint, stop: &Stop) -> Result<Demo> {
    let step = Step::begin("the demo session to become ready");
    let service_token = token(parts, "xtask", "service")?;
    let session_id = fresh_session(api, &service_token, stop)?;
    let mut status = Value::Null;
    let waited = stop.wait_until(READY_LIMIT, || {
        status = load(api, &service_token, &session_id)?;
        let state = status["state"].as_str().unwrap_or_default();
        Ok(["ready", "running", "terminated", "failed"].contains(&state))
    })?;
    match (waited, status["state"].as_str()) {
        (Waited::Stopped, _) => return Err(Failure::new("stopped").into()),
        (_, Some("ready" | "running")) => {}
        _ => return Err(not_ready(&session_id, &status)),
    }
    let mut demo = Demo {
        link: link(api, &session_id, &token(parts, USER, "candidate")?),
        session_id,
        service_token,
        installs: BTreeSet::new(),
    };
    if parts.installation.is_none() {
        demo.learn_install(parts.engine.client())?;
    }
    step.done_in("demo session ready");
    Ok(demo)
}

impl Demo {
    /// The database's id is a label on every environment of it; we see it on our own.
    fn learn_install(&mut self, engine: &Client) -> Result<()> {
        self.installs =
            engine.label_values("carrel.session", &self.session_id, "carrel.install")?;
        Ok(())
    }

    /// Ends the session and waits until its environment is gone. Best effort: what is left after
    /// it is removed through the engine.
    pub(crate) fn end(&self, api: &Endpoint) {
        let path = format!("/v1/sessions/{}/terminate", self.session_id);
        let body = json!({ "reason": "cargo xtask up ended" });
        if call(api, &self.service_token, "POST", &path, Body::Json(&body)).is_err() {
            return;
        }
        let begun = std::time::Instant::now();
        while begun.elapsed() < GONE_LIMIT {
            match load(api, &self.service_token, &self.session_id) {
                Ok(status) if !status["environment"]["gone_at"].is_null() => return,
                Ok(_) => std::thread::sleep(Duration::from_millis(50)),
                Err(_) => return,
            }
        }
    }

    /// Removes every environment of this database that the worker did not get to.
    pub(crate) fn remove_left_environments(&self, engine: &Client) {
        for install in &self.installs {
            for container in engine
                .containers_labelled("carrel.install", install)
                .unwrap_or_default()
            {
                engine.remove(&container).ok();
            }
        }
    }
}

/// Requests a session; one that an earlier run left is ended first, since nobody knows in which
/// condition its environment is.
fn fresh_session(api: &Endpoint, token: &str, stop: &Stop) -> Result<String> {
    let body = json!({ "user_id": USER, "exam": "linux-fundamentals" });
    let mut found = None;
    let waited = stop.wait_until(GONE_LIMIT, || {
        let answer = call(api, token, "POST", "/v1/sessions", Body::Json(&body))?;
        let document = answer.json()?;
        let id = document["session_id"]
            .as_str()
            .context("the api named no session")?
            .to_owned();
        if answer.status == 201 {
            found = Some(id);
            return Ok(true);
        }
        let path = format!("/v1/sessions/{id}/terminate");
        let reason = json!({ "reason": "left by an earlier cargo xtask up" });
        call(api, token, "POST", &path, Body::Json(&reason))?;
        Ok(false)
    })?;
    match (waited, found) {
        (_, Some(id)) => Ok(id),
        (Waited::Stopped, None) => Err(Failure::new("stopped").into()),
        _ => Err(
            Failure::new("the demo session of an earlier run does not end")
                .mend("cargo xtask up --fresh")
                .into(),
        ),
    }
}

fn token(parts: &Parts, user: &str, role: &str) -> Result<String> {
    let day = "86400";
    let issued = parts.ask(&[
        "token",
        "issue",
        "--user-id",
        user,
        "--role",
        role,
        "--lifetime-seconds",
        day,
    ])?;
    Ok(issued["token"]
        .as_str()
        .context("carrel issued no token")?
        .to_owned())
}

fn load(api: &Endpoint, token: &str, session_id: &str) -> Result<Value> {
    call(
        api,
        token,
        "GET",
        &format!("/v1/sessions/{session_id}"),
        Body::Empty,
    )?
    .json()
}

fn call(api: &Endpoint, token: &str, method: &str, path: &str, body: Body<'_>) -> Result<Response> {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str())];
    let answer = api.send(Request {
        method,
        path,
        headers: &headers,
        body,
        timeout: QUICK,
    })?;
    if answer.status < 300 {
        return Ok(answer);
    }
    Err(Failure::new(format!(
        "the api refused {method} {path} ({})",
        answer.status
    ))
    .because(answer.text())
    .mend("read on in target/up/api.log")
    .into())
}

fn link(api: &Endpoint, session_id: &str, token: &str) -> String {
    let Endpoint::Tcp(address) = api else {
        unreachable!("the api listens on a port")
    };
    format!("http://{address}/exam/{session_id}#token={token}")
}

fn not_ready(session_id: &str, status: &Value) -> anyhow::Error {
    let state = status["state"].as_str().unwrap_or("unknown");
    Failure::new(format!("the demo session is {state} and not ready"))
        .because(format!("session {session_id}: {}", status["reason"]))
        .mend("read on in target/up/worker.log")
        .into()
}
