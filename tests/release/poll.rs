//! Somebody who asks the api all the time, as pages do.

use std::cell::Cell;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use system_tests::Candidate;
use system_tests::release::Release;

const PAUSE: Duration = Duration::from_millis(50);
/// No request of these takes longer on a process that is well.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// One session's status, asked for again and again.
pub(crate) struct Poll {
    client: Client,
    url: String,
    token: String,
}

/// How it went.
pub(crate) struct Polled {
    answered: usize,
    failed: Vec<String>,
}

impl Poll {
    /// Connects anew for each request, as callers do through a balancer.
    pub(crate) fn on_new_connections(release: &Release, candidate: &Candidate) -> Self {
        Self::made(
            Client::builder().pool_max_idle_per_host(0),
            release,
            candidate,
        )
    }

    /// Keeps its connection while it lasts, as a browser does.
    pub(crate) fn on_one_connection(release: &Release, candidate: &Candidate) -> Self {
        Self::made(Client::builder(), release, candidate)
    }

    fn made(client: reqwest::ClientBuilder, release: &Release, candidate: &Candidate) -> Self {
        let client = client.timeout(ANSWERED_WITHIN).build();
        Self {
            client: client.unwrap(),
            url: format!("{}/v1/sessions/{}", release.page(), candidate.session_id),
            token: candidate.login.token.clone(),
        }
    }

    /// Asks until somebody says that it is enough.
    pub(crate) async fn until(self, enough: &Cell<bool>) -> Polled {
        let mut polled = Polled {
            answered: 0,
            failed: Vec::new(),
        };
        while !enough.get() {
            match self.request().send().await {
                Ok(answer) if answer.status() == 200 => polled.answered += 1,
                Ok(answer) => polled.failed.push(answer.status().to_string()),
                Err(error) => polled.failed.push(format!("{error:?}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
        polled
    }

    fn request(&self) -> RequestBuilder {
        let request = self.client.request(Method::GET, &self.url);
        request.bearer_auth(&self.token)
    }
}

impl Polled {
    /// Asserts that it was asked often, and answered but for a few times: a Service may still lead
    /// to a process that has just gone, and whoever asks then asks again.
    pub(crate) fn assert_answered(&self) {
        let (answered, failed) = (self.answered, &self.failed);
        assert!(answered > 50, "{answered} answers are no proof");
        assert!(
            failed.len() * 50 <= answered,
            "{failed:#?}\nbeside {answered} answers"
        );
    }
}
