//! Headers that tell a browser what this origin may do.
//!
//! They are written down in `security-headers.json`, which the page's own tests read too: what a page is
//! tried under is what it runs under.

use std::collections::BTreeMap;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

const WRITTEN: &str = include_str!("../security-headers.json");

/// The file: the first policy whose paths an answer's path is among, and all headers.
#[derive(Debug, Deserialize)]
struct Written {
    policies: Vec<WrittenPolicy>,
    headers: Vec<WrittenHeaders>,
}

#[derive(Debug, Deserialize)]
struct WrittenPolicy {
    paths: Paths,
    policy: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct WrittenHeaders {
    paths: Paths,
    headers: BTreeMap<String, String>,
}

/// Paths as they are, or all that begin so where they end with a slash.
#[derive(Debug, Clone, Deserialize)]
struct Paths(Vec<String>);

impl Paths {
    fn include(&self, path: &str) -> bool {
        let mut paths = self.0.iter();
        paths.any(|it| path == it || (it.ends_with('/') && path.starts_with(it.as_str())))
    }
}

/// Holds the headers, built once from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct SecurityPolicies {
    policies: Vec<(Paths, HeaderValue)>,
    headers: Vec<(Paths, HeaderName, HeaderValue)>,
}

impl SecurityPolicies {
    /// Builds the policies for a terminal process that is reached at `terminal`.
    pub(crate) fn new(terminal: &Url) -> Self {
        let written: Written =
            serde_json::from_str(WRITTEN).expect("the file is part of this program");
        let http = terminal.origin().ascii_serialization();
        let web_socket = http.replacen("http", "ws", 1);
        let policies = written.policies.into_iter().map(|it| {
            let policy = it.policy.join("; ");
            let policy = policy.replace("{terminal-http}", &http);
            let policy = policy.replace("{terminal-ws}", &web_socket);
            (it.paths, value(&policy))
        });
        let headers = written.headers.into_iter().flat_map(|it| {
            let WrittenHeaders { paths, headers } = it;
            headers.into_iter().map(move |(name, text)| {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("the file names headers");
                (paths.clone(), name, value(&text))
            })
        });
        Self {
            policies: policies.collect(),
            headers: headers.collect(),
        }
    }

    fn policy_of(&self, path: &str) -> Option<&HeaderValue> {
        let mut policies = self.policies.iter();
        policies
            .find(|(paths, _)| paths.include(path))
            .map(|(_, policy)| policy)
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("an origin is printable ASCII, and so is the file")
}

/// Adds the headers that fit a path's answer.
pub(crate) fn add(policies: &SecurityPolicies, path: &str, headers: &mut HeaderMap) {
    if let Some(policy) = policies.policy_of(path) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    for (paths, name, value) in &policies.headers {
        if paths.include(path) {
            headers.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(terminal: &str, path: &str) -> String {
        let policies = SecurityPolicies::new(&terminal.parse().unwrap());
        let policy = policies.policy_of(path).expect("every path has one");
        policy.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_page_may_reach_the_terminal_by_http_and_by_websocket_only() {
        let there = policy("https://terminal.example:8443/", "/exam/x");
        let expected =
            "connect-src 'self' https://terminal.example:8443 wss://terminal.example:8443;";
        assert!(there.contains(expected), "{there}");
        assert!(policy("http://127.0.0.1:8081", "/exam/x").contains("ws://127.0.0.1:8081;"));
    }

    #[test]
    fn no_policy_lets_inline_scripts_or_framing_through() {
        for path in [
            "/",
            "/exam/x",
            "/nowhere",
            "/v1/login",
            "/openapi.json",
            "/docs/",
            "/replay/x",
        ] {
            let policy = policy("http://a", path);
            assert!(
                policy.contains("frame-ancestors 'none'"),
                "{path}: {policy}"
            );
            let scripts = policy
                .split(';')
                .find(|part| part.trim().starts_with("script-src"));
            assert!(
                scripts.is_none_or(|part| part.trim() == "script-src 'self'"),
                "{path}: {policy}"
            );
        }
    }

    #[test]
    fn the_frame_that_plays_is_a_sandbox_and_nothing_beside_it_is_that_frame() {
        let frame = policy("http://a", "/replay/player");
        assert!(frame.starts_with("sandbox allow-scripts; default-src 'none';"));
        for path in ["/replay/player/", "/replay/players", "/replay/"] {
            assert!(
                policy("http://a", path).contains("frame-src 'self'"),
                "{path}"
            );
        }
        assert!(
            policy("http://a", "/v1").contains("manifest-src"),
            "no data below it"
        );
    }
}
