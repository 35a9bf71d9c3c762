//! What a terminal showed, for those who watch over exams and nobody else.

mod support;

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder};
use session_identity::{Role, TerminalProcessId};
use session_recording::{
    Marker, PROCESS_QUEUE_BYTES, Recorder, RecorderSettings, RecordingPolicy,
    SESSION_CEILING_BYTES, SessionTape, WindowSize,
};
use sqlx::PgPool;
use support::{Answer, TestApi, exams};

/// Several chunks of an answer.
const LONG: usize = 300_000;

/// Records output as a terminal process does, and waits until it is in the database.
async fn record(pool: &PgPool, session: &str, output: Bytes) {
    let spool = tempfile::tempdir().expect("a folder");
    let settings = RecorderSettings {
        writer: TerminalProcessId::generate(),
        spool_dir: spool.path().to_owned(),
        spool_limit_bytes: 64 * 1024 * 1024,
        queue_bytes: PROCESS_QUEUE_BYTES,
        session_ceiling_bytes: SESSION_CEILING_BYTES,
        signing_key: None,
    };
    let recorder = Recorder::start(pool.clone(), settings).expect("a spool");
    let wanted = SessionTape {
        session_id: session.parse().expect("an id"),
        shell_epoch: 1,
        policy: RecordingPolicy::FailClosed,
        records_input: false,
        size: WindowSize { cols: 80, rows: 24 },
    };
    let tape = recorder.tape(wanted).await.expect("a tape");
    tape.mark(Marker::Attach).await.expect("it is taken");
    tape.output(0, output).await.expect("it is taken");
    tape.close().await.expect("it is written");
    let drained = recorder.drain(Duration::from_mins(1)).await;
    assert_eq!(drained.spooled_bytes, 0);
}

fn ask(api: &TestApi, session: &str, format: &str, role: Role) -> RequestBuilder {
    let path = format!("/v1/sessions/{session}/recording/{format}");
    api.as_user(Method::GET, &path, "watcher", role)
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn staff_read_a_recording_in_every_format_and_it_is_on_the_log(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let shown: Bytes = (0..LONG)
        .map(|at| b'a' + u8::try_from(at % 26).unwrap())
        .collect();
    record(&pool, &session, shown.clone()).await;
    for role in [Role::Invigilator, Role::Operator, Role::Service] {
        let raw = ask(&api, &session, "raw", role).send().await.unwrap();
        assert_eq!(raw.status(), 200);
        assert_eq!(raw.headers()["cache-control"], "no-store");
        assert_eq!(raw.bytes().await.unwrap(), shown, "{role:?}");
    }
    for (format, version) in [("asciicast-v3", 3), ("asciicast-v2", 2)] {
        let cast = Answer::of(ask(&api, &session, format, Role::Invigilator)).await;
        let header = cast.text.lines().next().unwrap();
        let header: serde_json::Value = serde_json::from_str(header).unwrap();
        assert_eq!(header["version"], version);
        assert!(cast.text.contains("\"attach\""));
    }
    let logged = sqlx::query_scalar!(
        r#"SELECT count(*) AS "logged!" FROM access_log WHERE action = 'replay' AND allowed"#
    );
    assert_eq!(logged.fetch_one(&pool).await.unwrap(), 5);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_candidate_has_no_recording_not_even_of_their_own_terminal(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    record(&pool, &session, "mine".into()).await;
    let path = format!("/v1/sessions/{session}/recording/raw");
    for user in ["u-1", "u-2"] {
        let asked = api.as_user(Method::GET, &path, user, Role::Candidate);
        let answer = Answer::of(asked).await;
        answer.assert_problem(404, "session.not_available");
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn what_is_not_there_is_said_and_what_is_misspelt_is_named(pool: PgPool) {
    exams::apply(&pool).await;
    let api = TestApi::start(&pool).await;
    let session = api.session_of("u-1").await;
    let none = Answer::of(ask(&api, &session, "raw", Role::Operator)).await;
    none.assert_problem(404, "recording.not_found");
    let other = Answer::of(ask(&api, &session, "mp4", Role::Operator)).await;
    other.assert_field(400, "request.path_invalid", "format");
    let anonymous = format!("/v1/sessions/{session}/recording/raw");
    let anonymous = Answer::of(api.request(Method::GET, &anonymous)).await;
    anonymous.assert_problem(401, "login.required");
}
