//! One request to the API server, and where in a session's preparation or end it stands.

use std::fmt::{self, Display};

/// A request, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is asked of what, such as `create pods` or `get pods/log`.
    pub what: String,
    /// Path, query and body: whatever may name a session.
    text: String,
}

/// A request in its place: the same look before and after a deletion are two steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The last change that was asked for before.
    pub after: Option<String>,
    /// What is asked.
    pub what: String,
}

impl Call {
    pub(super) fn new(method: &str, target: &str, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        Self {
            what: describe(method, target),
            text: format!("{target} {body}"),
        }
    }

    /// Tells whether a session is named in it.
    pub fn concerns(&self, session_id: &str) -> bool {
        self.text.contains(session_id)
    }

    fn changes(&self) -> bool {
        ["create ", "delete ", "patch ", "update "]
            .iter()
            .any(|verb| self.what.starts_with(verb))
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.after {
            Some(change) => write!(f, " after {change}"),
            None => Ok(()),
        }
    }
}

/// Lists the steps of one session in their order, each once.
pub fn steps(calls: &[Call], session_id: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let mut after = None;
    for call in calls.iter().filter(|call| call.concerns(session_id)) {
        let what = call.what.clone();
        let step = Step {
            after: after.clone(),
            what: what.clone(),
        };
        if !found.contains(&step) {
            found.push(step);
        }
        if call.changes() {
            after = Some(what);
        }
    }
    found
}

/// Names verb and resource as the API's own rules for rights do.
fn describe(method: &str, target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parts = path.trim_matches('/').split('/');
    // Either `api/v1` or `apis/group/v1`.
    let depth = if parts.next() == Some("apis") { 2 } else { 1 };
    let parts: Vec<&str> = parts.skip(depth).collect();
    let parts = match parts.as_slice() {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let (resource, name) = match parts {
        [resource, _, below] => (format!("{resource}/{below}"), true),
        [resource, _] => ((*resource).to_owned(), true),
        [resource] => ((*resource).to_owned(), false),
        _ => (path.to_owned(), false),
    };
    let watches = query
        .split('&')
        .any(|part| ["watch=true", "watch=1"].contains(&part));
    let verb = match method {
        "GET" if watches => "watch",
        "GET" if name => "get",
        "GET" => "list",
        "POST" => "create",
        "DELETE" => "delete",
        "PATCH" => "patch",
        _ => "update",
    };
    format!("{verb} {resource}")
}

#[cfg(test)]
mod tests {
    use super::{Call, Step, steps};

    const SESSION: &str = "0190-a";

    fn call(method: &str, target: &str, body: &str) -> Call {
        Call::new(method, target, body.as_bytes())
    }

    #[test]
    fn requests_are_named_as_rights_are() {
        let what = |method, target| call(method, target, "").what;
        assert_eq!(what("GET", "/api/v1/namespaces/n/pods/p"), "get pods");
        assert_eq!(
            what("GET", "/api/v1/namespaces/n/pods?limit=5"),
            "list pods"
        );
        let watch = "/api/v1/namespaces/n/pods?&watch=true&x=1";
        assert_eq!(what("GET", watch), "watch pods");
        let log = "/api/v1/namespaces/n/pods/p/log?container=c";
        assert_eq!(what("GET", log), "get pods/log");
        assert_eq!(what("DELETE", "/api/v1/namespaces/n/pods/p"), "delete pods");
        let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        assert_eq!(what("POST", review), "create selfsubjectaccessreviews");
        assert_eq!(what("GET", "/version"), "list /version");
    }

    #[test]
    fn a_look_before_and_one_after_a_change_are_two_steps_and_repetitions_none() {
        let pod = format!("/api/v1/namespaces/n/pods/carrel-{SESSION}-1");
        let create = format!("{{\"name\":\"carrel-{SESSION}-1\"}}");
        let calls = [
            call("POST", "/api/v1/namespaces/n/pods", &create),
            call("GET", &pod, ""),
            call("GET", &pod, ""),
            call("GET", "/api/v1/namespaces/n/pods/carrel-other-1", ""),
            call("DELETE", &pod, ""),
            call("GET", &pod, ""),
        ];
        let step = |after: Option<&str>, what: &str| Step {
            after: after.map(str::to_owned),
            what: what.to_owned(),
        };
        let expected = [
            step(None, "create pods"),
            step(Some("create pods"), "get pods"),
            step(Some("create pods"), "delete pods"),
            step(Some("delete pods"), "get pods"),
        ];
        assert_eq!(steps(&calls, SESSION), expected);
    }
}
