//! A real server on free ports, a real database, a plain HTTP client.

#![expect(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod exams;
pub(crate) mod rows;
pub(crate) mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;

use carrel_api::{Api, ApiConfig};
use environment_access::TokenConfig;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use session_identity::Role;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use telemetry::MetricsHandle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The page's origin in these tests, apart from the server's own address.
pub(crate) const PAGE: &str = "https://exam.example";

/// A running API.
pub(crate) struct TestApi {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) pool: PgPool,
    client: Client,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl TestApi {
    /// Starts an API on the test's database.
    pub(crate) async fn start(pool: &PgPool) -> Self {
        Self::start_with_page(pool, None).await
    }

    /// Starts an API that also serves a page.
    pub(crate) async fn start_with_page(pool: &PgPool, page_dir: Option<PathBuf>) -> Self {
        let tokens = TokenConfig::development(tokens::SECRET.into());
        Self::start_with(pool, tokens, page_dir).await
    }

    /// Starts an API whose logins are signed by whoever is named.
    pub(crate) async fn start_with_tokens(pool: &PgPool, tokens: TokenConfig) -> Self {
        Self::start_with(pool, tokens, None).await
    }

    async fn start_with(pool: &PgPool, tokens: TokenConfig, page_dir: Option<PathBuf>) -> Self {
        let config = ApiConfig {
            pool: pool.clone(),
            listening: PgPoolOptions::new()
                .max_connections(1)
                .connect_lazy_with(PgConnectOptions::clone(&pool.connect_options())),
            tokens,
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: ([127, 0, 0, 1], 0).into(),
            page_dir,
            page_origins: vec![PAGE.parse().expect("an origin")],
            terminal_url: "http://127.0.0.1:8081".parse().expect("a URL"),
        };
        let metrics = MetricsHandle::install().expect("one recorder");
        let api = Api::build(config, metrics).await.expect("the API starts");
        let (address, admin) = (api.address(), api.admin_address());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let served = tokio::spawn(async move { api.run(stopped).await.expect("it served") });
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            address,
            admin,
            pool: pool.clone(),
            client,
            stop,
            served,
        }
    }

    /// Begins a request without any login.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    /// Begins a request with a bearer token.
    pub(crate) fn as_user(
        &self,
        method: Method,
        path: &str,
        user: &str,
        role: Role,
    ) -> RequestBuilder {
        self.request(method, path)
            .bearer_auth(tokens::valid(user, role))
    }

    /// Asks for a session as the exam platform does.
    pub(crate) async fn create(&self, body: &Value) -> Answer {
        let request = self.as_user(Method::POST, "/v1/sessions", "enrol", Role::Service);
        Answer::of(request.json(body)).await
    }

    /// Makes a session of the sample exam for a user and returns its id.
    pub(crate) async fn session_of(&self, user: &str) -> String {
        let body = serde_json::json!({"user_id": user, "exam": exams::NAME});
        let answer = self.create(&body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["session_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// Stops the API and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.expect("it stopped in order");
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Sends a request and reads its answer.
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response: Response = request.send().await.expect("the API answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer is text");
        Self {
            status,
            headers,
            text,
        }
    }

    /// Reads the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns a header's text; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("plain text"))
            .unwrap_or_default()
    }

    /// Asserts that this is a whole problem document with this status and code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}", self.text);
        assert_eq!(problem["status"], status, "{}", self.text);
        assert_eq!(problem["type"], format!("urn:carrel:problem:{code}"));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for key in ["title", "detail"] {
            assert!(
                problem[key].as_str().is_some_and(|text| !text.is_empty()),
                "{key}"
            );
        }
    }

    /// Asserts a problem that names a field.
    #[track_caller]
    pub(crate) fn assert_field(&self, status: u16, code: &str, field: &str) {
        self.assert_problem(status, code);
        assert_eq!(self.json()["field"], field, "{}", self.text);
    }
}
