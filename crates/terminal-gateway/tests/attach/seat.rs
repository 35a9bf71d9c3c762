//! One candidate's session, as a browser knows it.

use environment_access::wire::SUBPROTOCOL;
use session_identity::{ExamSessionId, Role};
use sqlx::PgPool;
use tokio::net::TcpStream;

use crate::keeper::TestKeeper;
use crate::network::Network;
use crate::rows::{ORIGIN, set_state, token};

/// One candidate's session at a running gateway.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) pool: PgPool,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) http: reqwest::Client,
    pub(crate) keeper: TestKeeper,
    pub(crate) session_id: ExamSessionId,
    pub(crate) user: String,
    /// Where the candidate's machine is, if it is not this one.
    pub(crate) network: Option<Network>,
}

impl Seat {
    /// Connects to the gateway.
    pub(crate) async fn connect(&self) -> TcpStream {
        let Some(network) = &self.network else {
            return TcpStream::connect(self.address).await.unwrap();
        };
        let stream = network.connect(self.address);
        stream.set_nonblocking(true).unwrap();
        TcpStream::from_std(stream).unwrap()
    }

    /// A login of the session's owner; each call is another one.
    pub(crate) fn login(&self) -> String {
        token(&self.user, Role::Candidate)
    }

    pub(crate) async fn ask_ticket(&self, session: &str, token: &str) -> reqwest::Response {
        self.ask_ticket_from(session, token, Some(ORIGIN)).await
    }

    pub(crate) async fn ask_ticket_from(
        &self,
        session: &str,
        token: &str,
        origin: Option<&str>,
    ) -> reqwest::Response {
        let url = format!(
            "http://{}/v1/sessions/{session}/terminal-tickets",
            self.address
        );
        let mut request = self.http.post(url).bearer_auth(token);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send().await.unwrap()
    }

    /// Asks for a terminal, and does not take part should it be given.
    pub(crate) async fn ask_upgrade(&self, session: &str, token: &str) -> reqwest::Response {
        let url = format!("http://{}/v1/sessions/{session}/terminal", self.address);
        let asks = [
            ("origin", ORIGIN),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", SUBPROTOCOL),
        ];
        let request = self.http.get(url).bearer_auth(token);
        let request = asks.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        request.send().await.unwrap()
    }

    pub(crate) async fn ticket(&self, token: &str) -> String {
        let answer = self.ask_ticket(&self.session_id.to_string(), token).await;
        assert_eq!(answer.status(), 201);
        let document: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(document["expires_in_ms"], 30_000);
        document["ticket"].as_str().unwrap().to_owned()
    }

    /// Forgets how many tickets were taken, where a story takes more than a minute allows.
    pub(crate) async fn forget_tickets(&self) {
        let user = &self.user;
        sqlx::query!("DELETE FROM terminal_tickets WHERE user_id = $1", user)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub(crate) async fn end_session(&self) {
        set_state(&self.pool, self.session_id, "terminated").await;
    }
}
