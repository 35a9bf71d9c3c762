//! Headers that tell a browser what this origin may do.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// Answers that are data are never a document, whoever frames or navigates to them.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
/// The documentation's own page styles itself inline and draws its logo from a data URL.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'none'";

/// The page around the player fetches the recording with the login, and runs nothing but its own scripts.
const REPLAY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; object-src 'none'; form-action 'none'";

/// The frame that plays. Its player compiles its terminal from WebAssembly, in a worker that it makes from a
/// blob, and reads the former from a data URL. The sandbox gives the frame an origin of its own: what recorded
/// bytes may do to the player reaches no login, no storage, no server and not the page around it.
const PLAYER_POLICY: &str = "sandbox allow-scripts; default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     worker-src blob:; style-src 'self'; style-src-elem 'self' 'unsafe-inline'; style-src-attr 'none'; \
     img-src 'self' data:; font-src 'self'; connect-src data:; frame-ancestors 'self'; \
     base-uri 'none'; object-src 'none'; form-action 'none'";

/// Holds the policies, built once from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct SecurityPolicies {
    page: HeaderValue,
}

impl SecurityPolicies {
    /// Builds the page's policy: its own origin, and the terminal process by HTTP and WebSocket.
    ///
    /// Inline style elements are needed by the terminal's renderer; inline attributes and scripts
    /// are not, and stay forbidden.
    pub(crate) fn new(terminal: &Url) -> Self {
        let http = terminal.origin().ascii_serialization();
        let web_socket = http.replacen("http", "ws", 1);
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; \
             style-src-elem 'self' 'unsafe-inline'; style-src-attr 'none'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self' {http} {web_socket}; manifest-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'none'"
        );
        let page = HeaderValue::from_str(&policy)
            .expect("an origin is printable ASCII, and so is the rest of the policy");
        Self { page }
    }
}

/// Adds the headers that fit a path's answer.
pub(crate) fn add(policies: &SecurityPolicies, path: &str, headers: &mut HeaderMap) {
    let policy = if path.starts_with("/docs/") {
        HeaderValue::from_static(DOCS_POLICY)
    } else if path.starts_with("/v1/") || path == "/openapi.json" {
        HeaderValue::from_static(DATA_POLICY)
    } else if path == "/replay/player" {
        HeaderValue::from_static(PLAYER_POLICY)
    } else if path.starts_with("/replay/") {
        HeaderValue::from_static(REPLAY_POLICY)
    } else {
        policies.page.clone()
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if path.starts_with("/assets/") {
        // The player's frame has no origin to share. They hold no secret, and are sent without a login.
        let anyone = HeaderValue::from_static("*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anyone);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (COOP, "same-origin"),
        (CORP, "same-origin"),
        (
            PERMISSIONS,
            "clipboard-read=(self), clipboard-write=(self), camera=(), microphone=(), geolocation=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_policy(terminal: &str) -> String {
        let policies = SecurityPolicies::new(&terminal.parse().unwrap());
        policies.page.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_page_may_reach_the_terminal_by_http_and_by_websocket_only() {
        let policy = page_policy("https://terminal.example:8443/");
        let expected =
            "connect-src 'self' https://terminal.example:8443 wss://terminal.example:8443;";
        assert!(policy.contains(expected), "{policy}");
        assert!(page_policy("http://127.0.0.1:8081").contains("ws://127.0.0.1:8081;"));
    }

    #[test]
    fn no_policy_lets_inline_scripts_or_framing_through() {
        for policy in [
            &page_policy("http://a"),
            DATA_POLICY,
            DOCS_POLICY,
            REPLAY_POLICY,
        ] {
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            let scripts = policy
                .split(';')
                .find(|part| part.trim().starts_with("script-src"));
            assert!(
                scripts.is_none_or(|part| part.trim() == "script-src 'self'"),
                "{policy}"
            );
        }
    }
}
