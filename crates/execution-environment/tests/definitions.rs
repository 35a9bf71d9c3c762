//! Every field of an exam definition, wrong in every way it can be, is named.

use execution_environment::{ExamDefinition, RuntimeKind};
use serde_json::{Value, json};

fn sample() -> Value {
    serde_json::from_str(include_str!("exam.json")).expect("the sample is JSON")
}

fn faults(exam: &Value) -> Vec<String> {
    match ExamDefinition::parse(&exam.to_string()) {
        Ok(_) => vec![],
        Err(faults) => {
            assert!(
                faults
                    .iter()
                    .all(|fault| !fault.message.is_empty() && !fault.next.is_empty()),
                "{faults:?}"
            );
            faults.into_iter().map(|fault| fault.field).collect()
        }
    }
}

fn with(pointer: &str, value: Value) -> Value {
    let mut exam = sample();
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    exam.pointer_mut(parent).expect("the parent is there")[field] = value;
    exam
}

#[test]
fn the_sample_definitions_are_sound() {
    assert_eq!(faults(&sample()), Vec::<String>::new());
    let deployed = include_str!("../../../deploy/exams/linux-fundamentals.json");
    let deployed = ExamDefinition::parse(deployed).expect("the deployed sample is sound");
    assert_eq!(deployed.unsupported_on(RuntimeKind::Engine), []);
}

#[test]
fn each_missing_field_is_named() {
    let required = [
        "/name",
        "/title",
        "/image",
        "/shell",
        "/user",
        "/user/uid",
        "/user/gid",
        "/user/name",
        "/workdir",
        "/limits",
        "/limits/cpu_millis",
        "/limits/memory_mib",
        "/limits/pids",
        "/limits/scratch_mib",
        "/clock",
        "/clock/kind",
        "/clock/duration_seconds",
        "/absolute_cap_seconds",
    ];
    for pointer in required {
        let mut exam = sample();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        exam.pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .expect("an object")
            .remove(field);
        assert_eq!(
            faults(&exam),
            [pointer[1..].replace('/', ".")],
            "without {pointer}"
        );
    }
}

/// Each field with values that it must not have.
#[expect(clippy::too_many_lines, reason = "a table, one entry a field")]
fn wrong_values() -> Vec<(&'static str, Vec<Value>)> {
    let long = "x".repeat(2000);
    vec![
        (
            "/name",
            vec![
                json!(""),
                json!("Linux"),
                json!("-a"),
                json!("a_b"),
                json!("a".repeat(64)),
                json!(7),
                json!(null),
            ],
        ),
        (
            "/title",
            vec![
                json!(""),
                json!("   "),
                json!("a\nb"),
                json!(long),
                json!([]),
            ],
        ),
        (
            "/image",
            vec![
                json!(""),
                json!("exam"),
                json!("exam:latest"),
                json!("EXAM:1"),
                json!(long),
                json!({}),
            ],
        ),
        (
            "/shell",
            vec![
                json!([]),
                json!("bash"),
                json!([1]),
                json!(vec!["/bin/sh"; 17]),
            ],
        ),
        ("/user", vec![json!("root"), json!(0)]),
        (
            "/user/uid",
            vec![
                json!(0),
                json!(-1),
                json!(65534),
                json!(4_294_967_296_u64),
                json!("1000"),
                json!(1.5),
            ],
        ),
        ("/user/gid", vec![json!(0), json!(65535)]),
        (
            "/user/name",
            vec![
                json!(""),
                json!("Root"),
                json!("a b"),
                json!("a".repeat(33)),
            ],
        ),
        (
            "/workdir",
            vec![
                json!(""),
                json!("home"),
                json!("/"),
                json!("/etc"),
                json!("/home/../etc"),
                json!(long),
            ],
        ),
        (
            "/limits/cpu_millis",
            vec![json!(0), json!(64_001), json!("1")],
        ),
        (
            "/limits/memory_mib",
            vec![json!(0), json!(31), json!(262_145), json!(-1)],
        ),
        ("/limits/pids", vec![json!(0), json!(4097)]),
        ("/limits/scratch_mib", vec![json!(0), json!(1_048_577)]),
        ("/egress", vec![json!("all"), json!(vec!["a:1"; 33])]),
        ("/clock", vec![json!("60"), json!([])]),
        ("/clock/kind", vec![json!(""), json!("forever")]),
        (
            "/clock/duration_seconds",
            vec![json!(0), json!(7201), json!(-5), json!("60")],
        ),
        ("/absolute_cap_seconds", vec![json!(604_801), json!(null)]),
        (
            "/startup_budget_seconds",
            vec![json!(0), json!(601), json!("60")],
        ),
        (
            "/no_show_after_seconds",
            vec![
                json!(59),
                json!(604_801),
                json!(7200),
                json!("300"),
                json!(-1),
            ],
        ),
        (
            "/recording",
            vec![json!("on"), json!(true), json!("fail-open")],
        ),
        ("/record_input", vec![json!("yes"), json!(true)]),
        (
            "/runtime_class",
            vec![json!(""), json!("Kata Containers"), json!(1)],
        ),
        ("/user_namespaces", vec![json!("yes"), json!(1)]),
    ]
}

#[test]
fn each_wrong_value_is_named() {
    for (pointer, values) in wrong_values() {
        let field = pointer[1..].replace('/', ".");
        for value in values {
            let named = faults(&with(pointer, value.clone()));
            assert!(named.contains(&field), "{field} = {value} gave {named:?}");
        }
    }
}

#[test]
fn arguments_and_destinations_are_named_by_their_place() {
    assert_eq!(faults(&with("/shell", json!(["bash"]))), ["shell[0]"]);
    assert_eq!(
        faults(&with("/shell", json!(["/bin/sh", ""]))),
        ["shell[1]"]
    );
    assert_eq!(
        faults(&with("/egress", json!(["a.example:443", "nowhere"]))),
        ["egress[1]"]
    );
}

#[test]
fn unknown_fields_are_named_wherever_they_are() {
    for pointer in ["/colour", "/user/shell", "/limits/gpu", "/clock/ends_at"] {
        assert_eq!(
            faults(&with(pointer, json!(1))),
            [pointer[1..].replace('/', ".")]
        );
    }
}

#[test]
fn what_is_typed_is_recorded_only_with_a_recording_and_only_when_asked_for() {
    for recording in ["fail_open", "fail_closed"] {
        let mut exam = with("/recording", json!(recording));
        let plain = ExamDefinition::parse(&exam.to_string()).expect("it is sound");
        assert!(!plain.record_input);
        let stored = serde_json::to_value(&plain).expect("it is JSON");
        assert_eq!(stored["recording"], recording);
        assert!(stored.get("record_input").is_none(), "{stored}");
        exam["record_input"] = json!(true);
        let typed = ExamDefinition::parse(&exam.to_string()).expect("it is sound");
        let stored = serde_json::to_string(&typed).expect("it is JSON");
        assert_eq!(ExamDefinition::parse(&stored), Ok(typed));
    }
}

#[test]
fn nobody_is_waited_for_less_than_a_minute_and_by_default_until_the_end() {
    let plain = ExamDefinition::parse(&sample().to_string()).expect("it is sound");
    assert_eq!(plain.no_show_after_seconds, None);
    let stored = serde_json::to_value(&plain).expect("it is JSON");
    assert!(stored.get("no_show_after_seconds").is_none(), "{stored}");
    for seconds in [60, 7199] {
        let exam = with("/no_show_after_seconds", json!(seconds)).to_string();
        let exam = ExamDefinition::parse(&exam).expect("it is sound");
        assert_eq!(exam.no_show_after_seconds, Some(seconds));
        let stored = serde_json::to_string(&exam).expect("it is JSON");
        assert_eq!(ExamDefinition::parse(&stored), Ok(exam));
    }
}

#[test]
fn a_window_ends_after_it_starts() {
    let window = |starts_at: &str, ends_at: &str| json!({ "kind": "window", "starts_at": starts_at, "ends_at": ends_at });
    let sound = window("2027-01-31T09:00:00Z", "2027-01-31T12:00:00+01:00");
    assert_eq!(faults(&with("/clock", sound)), Vec::<String>::new());
    let swapped = window("2027-01-31T12:00:00Z", "2027-01-31T09:00:00Z");
    assert_eq!(faults(&with("/clock", swapped)), ["clock.ends_at"]);
    assert_eq!(
        faults(&with("/clock", window("soon", "2027-01-31T09:00:00Z"))),
        ["clock.starts_at"]
    );
    assert_eq!(
        faults(&with("/clock", json!({ "kind": "window" }))),
        ["clock.ends_at"]
    );
}

#[test]
fn what_is_no_definition_at_all_is_refused() {
    let huge = format!("{{\"name\":\"{}\"}}", "a".repeat(70_000));
    for text in ["", "null", "[]", "{", "\u{0}", &huge] {
        let faults = ExamDefinition::parse(text).expect_err("refused");
        assert_eq!(faults[0].field, "definition", "{faults:?}");
    }
    assert_eq!(ExamDefinition::parse("{}").expect_err("refused").len(), 9);
}

#[test]
fn an_engine_refuses_what_it_cannot_give() {
    let exam = with("/egress", json!(["a.example:443"]));
    let mut exam = ExamDefinition::parse(&exam.to_string()).expect("sound");
    exam.runtime_class = Some("kata".to_owned());
    exam.user_namespaces = true;
    exam.limits.scratch_mib = exam.limits.memory_mib;
    let fields: Vec<_> = exam
        .unsupported_on(RuntimeKind::Engine)
        .into_iter()
        .map(|fault| fault.field)
        .collect();
    assert_eq!(
        fields,
        [
            "egress",
            "runtime_class",
            "user_namespaces",
            "limits.scratch_mib"
        ]
    );
    assert_eq!(exam.unsupported_on(RuntimeKind::Kubernetes), []);
}
