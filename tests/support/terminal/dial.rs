//! From a login to a WebSocket.

use environment_access::wire::SUBPROTOCOL;
use reqwest::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};

use crate::http::{Answer, Http};
use crate::logins::Login;

/// One candidate's way to one session's terminal.
#[derive(Debug, Clone)]
pub struct Door {
    /// The terminal process, `127.0.0.1:port`.
    pub address: String,
    /// The page the candidate is on.
    pub origin: String,
    /// The session.
    pub session_id: String,
    /// The candidate's login.
    pub login: Login,
}

/// At which step an attach was refused, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No ticket was given: status and body.
    Ticket(u16, String),
    /// The WebSocket was not opened: status and body.
    Upgrade(u16, String),
    /// The WebSocket was closed instead of welcomed: code and reason.
    Closed(u16, String),
    /// The connection ended without a word.
    Cut,
}

impl Refused {
    pub(crate) fn cut() -> Self {
        Self::Cut
    }
}

impl Door {
    /// Speaks HTTP to the terminal process as this candidate's page.
    pub fn http(&self) -> Http {
        let base = format!("http://{}", self.address);
        Http::new(&base)
            .with_token(&self.login.token)
            .with_origin(&self.origin)
    }

    /// Asks for a ticket.
    ///
    /// # Errors
    /// [`Refused::Ticket`], or [`Refused::Cut`] where nobody answers.
    pub async fn ticket(&self) -> Result<String, Refused> {
        let path = format!("/v1/sessions/{}/terminal-tickets", self.session_id);
        let request = self.http().request(Method::POST, &path);
        let answer = Answer::try_of(request.json(&serde_json::json!({}))).await;
        let answer = answer.map_err(|_| Refused::Cut)?;
        if answer.status != 201 {
            return Err(Refused::Ticket(answer.status, answer.text));
        }
        let ticket = answer.json()["ticket"].as_str().map(str::to_owned);
        Ok(ticket.expect("the answer holds a ticket"))
    }

    /// The same way with another login.
    #[must_use]
    pub fn with_login(&self, login: &Login) -> Self {
        Self {
            login: login.clone(),
            ..self.clone()
        }
    }

    /// The same login at another session.
    #[must_use]
    pub fn at_session(&self, session_id: &str) -> Self {
        Self {
            session_id: session_id.to_owned(),
            ..self.clone()
        }
    }

    fn upgrade(&self, origin: Option<&str>) -> Request {
        let url = format!(
            "ws://{}/v1/sessions/{}/terminal",
            self.address, self.session_id
        );
        let mut request = url.into_client_request().expect("the address is sound");
        let headers = request.headers_mut();
        let bearer = format!("Bearer {}", self.login.token);
        headers.insert(
            "authorization",
            bearer.parse().expect("a token is plain text"),
        );
        headers.insert(
            "sec-websocket-protocol",
            SUBPROTOCOL.parse().expect("plain text"),
        );
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().expect("an origin is plain text"));
        }
        request
    }
}

/// Opens the WebSocket, from a page of any origin or from no page.
///
/// # Errors
/// [`Refused::Upgrade`].
pub async fn dial(
    door: &Door,
    origin: Option<&str>,
) -> Result<WebSocketStream<TcpStream>, Refused> {
    let stream = TcpStream::connect(&door.address)
        .await
        .map_err(|_| Refused::Cut)?;
    stream
        .set_nodelay(true)
        .expect("a socket takes TCP_NODELAY");
    match tokio_tungstenite::client_async(door.upgrade(origin), stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let (parts, body) = response.into_parts();
            let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
            Err(Refused::Upgrade(parts.status.as_u16(), body))
        }
        Err(_) => Err(Refused::Cut),
    }
}
