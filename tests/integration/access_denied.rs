//! Nobody reaches a terminal but its owner, from the page, with a fresh ticket; and nobody learns
//! from a refusal what there is.

use std::collections::BTreeSet;

use environment_access::wire::CloseCode;
use session_identity::{ExamSessionId, Role};
use system_tests::http::Http;
use system_tests::logins::Login;
use system_tests::system::SECOND_PAGE;
use system_tests::terminal::{Door, Refused, Terminal, dial};
use system_tests::wait::SOON;
use system_tests::{TestSystem, exams};

#[tokio::test]
async fn foreign_absent_and_unready_sessions_are_refused_in_the_same_words() {
    let mut system = TestSystem::start().await;
    let owner = system.ready_candidate("u-owner").await;
    // Without a worker the next session stays where it is.
    system.workers[0].terminate();
    let unready = system.candidate("u-stranger", exams::SAMPLE).await;
    let stranger = Login::candidate("u-stranger");
    let absent = ExamSessionId::generate().to_string();

    let door = system.door(&owner).with_login(&stranger);
    let mut tickets = BTreeSet::new();
    let mut upgrades = BTreeSet::new();
    for session_id in [&owner.session_id, &absent, &unready.session_id, "not-an-id"] {
        let door = door.at_session(session_id);
        tickets.insert(without_id(door.ticket().await.map(drop).unwrap_err()));
        upgrades.insert(without_id(
            dial(&door, Some(&door.origin)).await.map(drop).unwrap_err(),
        ));
    }
    assert_eq!(
        (tickets.len(), upgrades.len()),
        (1, 1),
        "{tickets:#?} {upgrades:#?}"
    );
    assert!(tickets.first().unwrap().starts_with("404 "), "{tickets:?}");

    let api = system.api_as(&stranger);
    let mut reads = BTreeSet::new();
    for session_id in [&owner.session_id, &absent] {
        let path = format!("/v1/sessions/{session_id}");
        let answers = [
            api.get(&path).await,
            api.get(&format!("{path}/events")).await,
            api.post(&format!("{path}/terminate"), &serde_json::json!({}))
                .await,
        ];
        reads.extend(answers.map(|it| format!("{} {}", it.status, it.without_request_id())));
    }
    assert_eq!(reads.len(), 1, "{reads:#?}");
    // Staff may look, and never sit down at somebody's desk.
    for role in [Role::Service, Role::Operator, Role::Invigilator] {
        let refused = system
            .door(&owner)
            .with_login(&Login::of("dana", role))
            .ticket()
            .await;
        assert!(
            matches!(refused, Err(Refused::Ticket(404, _))),
            "{role:?}: {refused:?}"
        );
    }
}

/// A refusal without the request's id, which differs by design.
fn without_id(refused: Refused) -> String {
    let (Refused::Ticket(status, body) | Refused::Upgrade(status, body)) = refused else {
        panic!("refused otherwise: {refused:?}");
    };
    let mut body: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    body.as_object_mut().map(|body| body.remove("request_id"));
    format!("{status} {body}")
}

#[tokio::test]
async fn a_ticket_is_good_once_for_one_login_of_one_user_at_one_session_from_one_page() {
    let system = TestSystem::start().await;
    exams::apply(system.pool(), &exams::lasting("other", 600)).await;
    let owner = system.ready_candidate("u-owner").await;
    let other = system.candidate("u-owner", "other").await;
    let thief = system.ready_candidate("u-thief").await;
    system.await_state(&other, "ready", SOON).await;
    let door = system.door(&owner);

    let used = door.ticket().await.unwrap();
    drop(Terminal::attach_with(&door, &used, None).await.unwrap());
    refused(&door, &used, "used").await;

    let ticket = door.ticket().await.unwrap();
    refused(&system.door(&thief), &ticket, "of another user and session").await;
    refused(
        &door.at_session(&other.session_id),
        &ticket,
        "of another session",
    )
    .await;
    refused(
        &door.with_login(&Login::candidate("u-owner")),
        &ticket,
        "of another login",
    )
    .await;
    let second_page = Door {
        origin: SECOND_PAGE.to_owned(),
        ..door.clone()
    };
    refused(&second_page, &ticket, "of another page").await;
    refused(&door, "AAAAAAAAAAAAAAAAAAAAAA", "invented").await;
    refused(&door, "", "empty").await;

    sqlx::query!("UPDATE terminal_tickets SET expires_at = now() - interval '1 ms'")
        .execute(system.pool())
        .await
        .unwrap();
    refused(&door, &ticket, "expired").await;
    // No refusal took anything from the owner.
    drop(Terminal::attach(&door).await.unwrap());
    let told = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT detail) AS "n!" FROM access_log
           WHERE action = 'attach' AND NOT allowed"#
    );
    let reasons = told.fetch_one(system.pool()).await.unwrap();
    assert!(
        reasons >= 6,
        "the log keeps the true reasons apart: {reasons}"
    );
}

async fn refused(door: &Door, ticket: &str, which: &str) {
    let refused = Terminal::attach_with(door, ticket, None).await.err();
    let expected = CloseCode::Ticket.number();
    assert!(
        matches!(refused, Some(Refused::Closed(code, _)) if code == expected),
        "a ticket that is {which}: {refused:?}"
    );
}

#[tokio::test]
async fn only_exactly_the_page_may_attach() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let door = system.door(&candidate);
    let page = door.origin.clone();
    let (host, port) = page.trim_start_matches("http://").split_once(':').unwrap();
    let wrong = [
        "null".to_owned(),
        format!("https://{host}:{port}"),
        format!("http://{host}"),
        format!("http://{host}:1{port}"),
        format!("{page}.evil.example"),
        format!("http://evil.example/{page}"),
        format!("http://evil.{host}:{port}"),
        format!("{page}/"),
        format!("{page}@evil.example"),
        "http://localhost".to_owned(),
        "https://SECOND.example.evil".to_owned(),
        "https://sub.second.example".to_owned(),
        "file://".to_owned(),
    ];
    for origin in wrong {
        let upgrade = dial(&door, Some(&origin)).await.err();
        assert!(
            matches!(upgrade, Some(Refused::Upgrade(403, _))),
            "{origin}: {upgrade:?}"
        );
        let from = Door {
            origin: origin.clone(),
            ..door.clone()
        };
        let ticket = from.ticket().await;
        assert!(
            matches!(ticket, Err(Refused::Ticket(403, _))),
            "{origin}: {ticket:?}"
        );
    }
    let upgrade = dial(&door, None).await.err();
    assert!(
        matches!(upgrade, Some(Refused::Upgrade(403, _))),
        "no origin: {upgrade:?}"
    );
}

#[tokio::test]
async fn logins_that_are_none_open_nothing_and_are_told_the_same() {
    let system = TestSystem::start().await;
    let candidate = system.candidate("u-1", exams::SAMPLE).await;
    let good = &candidate.login.token;
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let wrong = [
        String::new(),
        "garbage".to_owned(),
        format!("{head}.{claims}."),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!(
            "{head}.{claims}.{}",
            signature.chars().rev().collect::<String>()
        ),
    ];
    let path = format!("/v1/sessions/{}", candidate.session_id);
    let mut answers = BTreeSet::new();
    for token in wrong {
        let login = Login {
            user: "u-1".to_owned(),
            token: token.clone(),
        };
        let read = system.api_as(&login).get(&path).await;
        assert_eq!(read.status, 401, "{token}: {}", read.text);
        answers.insert(read.without_request_id().to_string());
        let ticket = system.door(&candidate).with_login(&login).ticket().await;
        assert!(
            matches!(ticket, Err(Refused::Ticket(401, _))),
            "{token}: {ticket:?}"
        );
    }
    let nobody = Http::new(&system.api_url()).get(&path).await.expect(401);
    answers.insert(nobody.without_request_id().to_string());
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test]
async fn a_second_tab_takes_over_and_the_first_types_into_nothing() {
    let system = TestSystem::start().await;
    let candidate = system.ready_candidate("u-1").await;
    let mut first = system.attach(&candidate).await;
    first.type_line("echo first-$((1+1))").await;
    first.expect("first-2").await;

    let mut second = system.attach(&candidate).await;
    first.type_line("echo stolen-$((40+2))").await;
    first.expect_close(CloseCode::Superseded, SOON).await;
    second
        .type_line("echo second-$((1+1)); history | grep -c stole[n]")
        .await;
    second.expect("second-2\r\n0").await;
    let text = String::from_utf8_lossy(second.output()).into_owned();
    assert!(!text.contains("stolen-42"), "{text}");
    system.assert_invariants().await;
}
