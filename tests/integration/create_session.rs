//! The exam platform asks for a session, and it becomes ready.

use std::collections::BTreeSet;

use serde_json::json;
use system_tests::events::Events;
use system_tests::http::Answer;
use system_tests::logins::Login;
use system_tests::system::read;
use system_tests::wait::{SOON, STARTUP, until};
use system_tests::{TestSystem, exams};

#[tokio::test]
async fn a_requested_session_goes_through_honest_stages_to_ready() {
    let system = TestSystem::start().await;
    let candidate = system.candidate("u-1042", exams::SAMPLE).await;
    let caller = system.api_as(&candidate.login);

    let mut events = Events::open(&caller, &candidate.session_id, None).await;
    let seen = events.until_state("ready", STARTUP).await;
    let states: Vec<&str> = seen.iter().map(|status| status.state.as_str()).collect();
    let order = ["created", "initializing", "ready"];
    let positions: Vec<_> = states
        .iter()
        .map(|state| order.iter().position(|known| known == state))
        .collect();
    assert!(
        positions.is_sorted() && positions.iter().all(Option::is_some),
        "{states:?}"
    );
    assert!(
        seen.is_sorted_by(|a, b| a.revision < b.revision),
        "revisions only grow"
    );
    for status in &seen[..seen.len() - 1] {
        assert!(!status.can_attach, "nobody attaches before ready");
    }

    let ready = seen.last().expect("there is one");
    assert!(ready.can_attach && ready.can_end);
    assert_eq!(ready.environment.state, "up");
    assert!(
        ready.stages.iter().all(|stage| stage.state == "done"),
        "{:?}",
        ready.stages
    );
    assert_eq!(
        ready.remaining_ms, None,
        "the clock waits for the first attach"
    );

    // A stream that was cut resumes after what was seen, and misses nothing.
    let middle = &seen[0];
    let mut resumed = Events::open(&caller, &candidate.session_id, Some(middle.revision)).await;
    let next = resumed.next(SOON).await.expect("there is more");
    assert!(next.revision > middle.revision);
    assert_eq!(next.state, "ready");
    system.assert_invariants().await;
}

#[tokio::test]
async fn ready_is_backed_by_evidence_from_inside_for_every_protection() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-evidence").await;
    let evidence = system.isolation_evidence(&candidate).await;
    let found = inside(&evidence);
    assert_eq!(found["uid"], 1000);
    assert_eq!(found["no_new_privs"], true);
    assert_eq!(found["seccomp_mode"], 2);
    assert_eq!(found["root_read_only"], true);
    assert_eq!(found["service_account_token"], false);
    assert_eq!(found["pid1_is_keeper"], true);
    let interfaces = found["network"]["interfaces"].as_array().unwrap();
    assert!(
        interfaces.len() == 1 && interfaces[0]["name"] == "lo",
        "{interfaces:?}"
    );
    for set in [
        "effective",
        "permitted",
        "inheritable",
        "bounding",
        "ambient",
    ] {
        let capabilities = found["capabilities"][set].as_str().unwrap();
        assert!(
            capabilities.bytes().all(|digit| digit == b'0'),
            "{set}: {capabilities}"
        );
    }
    assert_eq!(found["limits"]["memory_bytes"], 256 * 1024 * 1024);
    assert_eq!(found["limits"]["pids"], 128);
    let keys: BTreeSet<&String> = found.as_object().unwrap().keys().collect();
    assert!(keys.len() >= 9, "{keys:?}");

    // The same, asked past Carrel.
    let uid = system.environment_uid(&candidate).await.unwrap();
    let script = "id -u; grep -c . /proc/net/dev; touch /etc/x 2>&1; cat /proc/1/comm";
    let said = system.runtime.run_inside(&uid, script).await;
    assert!(
        said.text.starts_with("1000\n3\n"),
        "one interface only: {}",
        said.text
    );
    assert!(said.text.contains("Read-only file system"), "{}", said.text);
    assert!(said.text.ends_with("keeper\n"), "{}", said.text);
}

/// The keeper's own report within the stored evidence.
fn inside(evidence: &serde_json::Value) -> serde_json::Value {
    ["/inside", "/report/inside", "/found/inside"]
        .into_iter()
        .find_map(|place| evidence.pointer(place))
        .unwrap_or_else(|| panic!("no report of the keeper in {evidence:#}"))
        .clone()
}

#[tokio::test]
async fn the_same_key_and_a_live_session_answer_with_the_first_session() {
    let system = TestSystem::start().await;
    let service = system.service();
    let ask = async |key: Option<&str>, user: &str| {
        let body = json!({ "user_id": user, "exam": exams::SAMPLE });
        let mut request = service
            .request(reqwest::Method::POST, "/v1/sessions")
            .json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Answer::of(request).await
    };
    let first = ask(Some("k-1"), "u-1").await.expect(201);
    let session_id = read(&first).session_id;
    assert_eq!(
        first.header("location"),
        format!("/v1/sessions/{session_id}")
    );
    for key in [Some("k-1"), Some("k-2"), None] {
        let again = ask(key, "u-1").await.expect(200);
        assert_eq!(read(&again).session_id, session_id, "{key:?}");
    }
    let other = ask(Some("k-1"), "u-2").await.expect(409);
    assert_eq!(other.header("content-type"), "application/problem+json");

    let counted = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM exam_sessions"#);
    assert_eq!(counted.fetch_one(system.pool()).await.unwrap(), 1);
}

#[tokio::test]
async fn fifty_requests_for_one_candidate_at_once_make_one_session_and_one_environment() {
    let system = TestSystem::start().await;
    let body = json!({ "user_id": "u-1", "exam": exams::SAMPLE });
    let service = system.service();
    // Whoever is told to come again does, as a client would.
    let asked = (0..50).map(|_| async {
        until("an answer", STARTUP, async || {
            let answer = service.post("/v1/sessions", &body).await;
            (answer.status != 503).then_some(answer)
        })
        .await
    });
    let answers = futures_util::future::join_all(asked).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let sessions: BTreeSet<_> = answers
        .iter()
        .map(|answer| read(answer).session_id)
        .collect();
    assert_eq!((created, sessions.len()), (1, 1));
    let session_id = sessions.into_iter().next().unwrap();
    let candidate = system_tests::Candidate {
        login: Login::candidate("u-1"),
        session_id,
    };
    system.await_state(&candidate, "ready", STARTUP).await;
    system.assert_invariants().await;
}
