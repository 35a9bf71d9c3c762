//! Answers of a real API server (1.36), read as what they mean. `recorded/` holds them as they were.

use failure_classification::{Phase, classify};

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("recorded/", $name, ".json"))
    };
}

fn read(document: &str) -> Refusal {
    let status: Status = serde_json::from_str(document).expect("a recorded Status");
    Refusal::read(status.code, None, document.as_bytes())
}

/// What a creation is told; 409 for a name is not among them, since what bears it decides.
const CREATING: [(&str, &str); 14] = [
    (recorded!("quota"), "infra.quota"),
    (recorded!("limit_range"), "infra.quota"),
    (recorded!("rights_missing"), "infra.policy_denied"),
    (recorded!("pod_security"), "infra.policy_denied"),
    (recorded!("runtime_class_missing"), "infra.policy_denied"),
    (recorded!("priority_class_missing"), "infra.policy_denied"),
    (recorded!("namespace_missing"), "infra.policy_denied"),
    (recorded!("namespace_terminating"), "infra.policy_denied"),
    // The namespace is new, or its controller is behind: the next try may find it.
    (
        recorded!("service_account_missing"),
        "infra.api_unavailable",
    ),
    (recorded!("invalid"), "init.spec_invalid"),
    (recorded!("malformed"), "init.spec_invalid"),
    (recorded!("credentials_refused"), "infra.api_auth"),
    (recorded!("too_many_requests"), "infra.api_unavailable"),
    // A quota that two creations charged at once is refused in the words of `other_uid`.
    (recorded!("other_uid"), "infra.api_unavailable"),
];

/// What the recorded refusals are read as.
pub(in super::super) fn signals() -> Vec<Signal> {
    let creating = CREATING.iter().map(|(document, _)| *document);
    let all = creating.chain([recorded!("name_taken")]);
    all.map(|document| read(document).signal("create", "carrel-1"))
        .collect()
}

#[test]
fn a_recorded_refusal_is_read_as_what_it_means() {
    for (document, expected) in CREATING {
        let signal = read(document).signal("create", "carrel-1");
        let code = classify(&signal, Phase::BeforeReady).code().as_str();
        assert_eq!(code, expected, "{document}");
    }
}

#[test]
fn evidence_holds_the_server_s_own_words() {
    let cases = [
        (recorded!("quota"), "used: pods=0, limited: pods=0"),
        (
            recorded!("rights_missing"),
            r#"cannot create resource "pods""#,
        ),
        (
            recorded!("pod_security"),
            "host namespaces (hostNetwork=true)",
        ),
        (recorded!("invalid"), "spec.activeDeadlineSeconds"),
    ];
    for (document, words) in cases {
        let said = read(document).signal("create", "carrel-1").said();
        let said = said.unwrap_or_default();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn the_two_conflicts_are_told_apart() {
    let taken = read(recorded!("name_taken"));
    assert!(taken.is_name_taken() && !taken.is_other_uid());
    let other = read(recorded!("other_uid"));
    assert!(other.is_other_uid() && !other.is_name_taken());
    for document in [recorded!("not_found"), recorded!("quota")] {
        let neither = read(document);
        assert!(!neither.is_name_taken() && !neither.is_other_uid());
    }
}

#[test]
fn absence_and_a_list_grown_old_are_known_by_their_status() {
    assert_eq!(read(recorded!("not_found")).status, 404);
    assert_eq!(read(recorded!("expired_list")).status, 410);
}

/// Overload is answered in plain words, before anything that writes a Status is reached.
#[test]
fn how_long_to_wait_is_taken_from_the_header_and_else_from_the_document() {
    let wait = |refusal: Refusal| match refusal.signal("create", "carrel-1") {
        Signal::RuntimeUnavailable { retry_after_ms, .. } => retry_after_ms,
        other => panic!("{other:?}"),
    };
    let busy = b"Too many requests, please try again later.\n";
    assert_eq!(wait(Refusal::read(429, Some(1), busy)), Some(1000));
    assert_eq!(wait(Refusal::read(429, None, busy)), None);
    let document = br#"{"status":"Failure","code":503,"details":{"retryAfterSeconds":3}}"#;
    assert_eq!(wait(Refusal::read(503, None, document)), Some(3000));
    assert_eq!(wait(Refusal::read(503, Some(7), document)), Some(7000));
}

#[test]
fn what_is_no_status_is_kept_as_it_was_said_and_no_longer() {
    let page = format!("<html>{}</html>", "x".repeat(5000));
    let refusal = Refusal::read(502, None, page.as_bytes());
    assert_eq!(refusal.message.len(), 1024);
    assert_eq!(refusal.signal("get", "a").kind(), "runtime_unavailable");
    let garbage = Refusal::read(503, None, b"\xff\xfe");
    assert_eq!(garbage.signal("get", "a").kind(), "runtime_unavailable");
}
