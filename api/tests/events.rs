//! Following a session by server-sent events.

mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use session_identity::Role;
use session_lifecycle::Advance;
use sqlx::PgPool;
use support::{Answer, TestApi, exams, tokens};

/// Nothing here takes longer unless something hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// One event as it arrived, or a comment.
#[derive(Debug, PartialEq)]
enum Event {
    Status { id: String, document: Value },
    Comment(String),
}

/// An open stream, read event by event.
struct Stream {
    response: reqwest::Response,
    buffer: String,
}

impl Stream {
    async fn open(api: &TestApi, session: &str, last: Option<&str>) -> Self {
        let path = format!("/v1/sessions/{session}/events");
        let mut request = api.as_user(Method::GET, &path, "u-1", Role::Candidate);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("the API answers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// Waits for the next event; `None` when the stream ends or nothing comes in time.
    async fn next(&mut self, within: Duration) -> Option<Event> {
        let deadline = Instant::now() + within;
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (event, rest) = (parse(block), rest.to_owned());
                self.buffer = rest;
                if event.is_some() {
                    return event;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let chunk = tokio::time::timeout(left, self.response.chunk())
                .await
                .ok()?;
            let chunk = chunk.expect("the stream is whole")?;
            self.buffer
                .push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// Waits until the stream ends as it should, not cut off.
    async fn ends(mut self) {
        let end = async {
            while let Some(_more) = self.response.chunk().await.expect("the stream is whole") {}
        };
        tokio::time::timeout(PATIENCE, end)
            .await
            .expect("the stream ends");
    }

    async fn status(&mut self) -> (String, Value) {
        loop {
            match self.next(PATIENCE).await {
                Some(Event::Status { id, document }) => return (id, document),
                Some(Event::Comment(_)) => {}
                None => panic!("expected a status, got none"),
            }
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    if let Some(comment) = block.strip_prefix(": ") {
        return Some(Event::Comment(comment.to_owned()));
    }
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ")?;
    assert_eq!(field("event: "), Some("status"));
    let document = serde_json::from_str(data).expect("the data is JSON");
    Some(Event::Status {
        id: field("id: ")?.to_owned(),
        document,
    })
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_present_status_comes_first_and_then_every_change(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let mut stream = Stream::open(&api, &session, None).await;
    let (id, document) = stream.status().await;
    assert_eq!(document["state"], "created");
    assert_eq!(id, document["revision"].to_string());
    let steps = [
        (Advance::ToInitializing, "initializing"),
        (Advance::ToReady, "ready"),
        (Advance::ToRunning, "running"),
    ];
    for (step, state) in steps {
        exams::move_to(&pool, &session, step).await;
        let (_, document) = stream.status().await;
        assert_eq!(document["state"], state);
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_change_without_any_hint_arrives_all_the_same(pool: PgPool) {
    exams::apply(&pool).await;
    let triggers = "ALTER TABLE exam_sessions DISABLE TRIGGER exam_sessions_hint";
    sqlx::raw_sql(triggers).execute(&pool).await.unwrap();
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let mut stream = Stream::open(&api, &session, None).await;
    stream.status().await;
    exams::move_to(&pool, &session, Advance::ToInitializing).await;
    let (_, document) = stream.status().await;
    assert_eq!(document["state"], "initializing");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_resumed_stream_begins_after_what_was_seen(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let (seen, _) = Stream::open(&api, &session, None).await.status().await;
    let mut resumed = Stream::open(&api, &session, Some(&seen)).await;
    assert_eq!(
        resumed.next(Duration::from_millis(700)).await,
        None,
        "nothing has changed"
    );
    exams::move_to(&pool, &session, Advance::ToInitializing).await;
    let (id, document) = resumed.status().await;
    assert_eq!(document["state"], "initializing");
    drop(resumed);
    exams::move_to(&pool, &session, Advance::ToReady).await;
    let mut later = Stream::open(&api, &session, Some(&id)).await;
    assert_eq!(
        later.status().await.1["state"],
        "ready",
        "what was missed comes at once"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn silence_is_filled_with_a_heartbeat(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let mut stream = Stream::open(&api, &session, None).await;
    stream.status().await;
    let event = stream.next(PATIENCE).await;
    assert_eq!(event, Some(Event::Comment("heartbeat".to_owned())));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stream_ends_when_nothing_can_change_and_does_not_come_back(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let mut stream = Stream::open(&api, &session, None).await;
    stream.status().await;
    exams::end(&pool, &session).await;
    let (_, document) = stream.status().await;
    assert_eq!(document["state"], "terminated");
    let session_id = session.parse().unwrap();
    let mut conn = pool.acquire().await.unwrap();
    // Never asked of a runtime, so it is gone as soon as its destruction begins.
    execution_environment::begin_destroy(&mut conn, session_id)
        .await
        .unwrap();
    let (last, document) = stream.status().await;
    assert_eq!(document["environment"]["state"], "gone");
    stream.ends().await;
    let path = format!("/v1/sessions/{session}/events");
    let again = api.as_user(Method::GET, &path, "u-1", Role::Candidate);
    let again = Answer::of(again.header("last-event-id", last)).await;
    assert_eq!((again.status, again.text.as_str()), (204, ""));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stream_ends_with_the_login_it_was_opened_with(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let token = tokens::with("exp", (tokens::now() + 2).into());
    let path = format!("/v1/sessions/{session}/events");
    let response = api
        .request(Method::GET, &path)
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let mut stream = response.bytes_stream();
    let ended = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("the stream ends");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_stopping_process_ends_its_streams(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let mut stream = Stream::open(&api, &session, None).await;
    stream.status().await;
    tokio::time::timeout(PATIENCE, api.stop())
        .await
        .expect("it waits for nobody");
    stream.ends().await;
}
