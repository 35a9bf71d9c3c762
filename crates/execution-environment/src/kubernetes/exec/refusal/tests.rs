use super::*;

fn target() -> Target {
    Target {
        operation: "attach",
        uid: "uid-1".to_owned(),
    }
}

fn status(kind: &str, message: &str, more: &str) -> Vec<u8> {
    format!(r#"{{"metadata":{{}},"status":"{kind}","message":{message:?}{more}}}"#).into_bytes()
}

/// What is answered to who asks for a stream, and what is read of it: as an API server 1.36 and its
/// kubelet said it; the first of 500 is the kubelet's, no JSON.
fn before_the_stream() -> [(u16, Vec<u8>, &'static str); 11] {
    let document =
        |code: u16, message: &str| status("Failure", message, &format!(r#","code":{code}"#));
    [
        (401, document(401, "Unauthorized"), "runtime_unauthorized"),
        (
            403,
            document(
                403,
                r#"pods "probe" is forbidden: User "system:serviceaccount:exams:nobody" cannot get resource "pods/exec" in API group "" in the namespace "exams""#,
            ),
            "exec_forbidden",
        ),
        (
            404,
            status(
                "Failure",
                r#"pods "absent" not found"#,
                r#","reason":"NotFound","details":{"name":"absent","kind":"pods"},"code":404"#,
            ),
            "vanished",
        ),
        // A kubelet that was started a moment ago.
        (404, b"pod does not exist".to_vec(), "exec_target_missing"),
        (
            400,
            document(400, "pod pending does not have a host assigned"),
            "exec_target_missing",
        ),
        (
            400,
            document(400, "container nope is not valid for pod probe"),
            "exec_target_missing",
        ),
        (
            500,
            br#"container not found ("environment")"#.to_vec(),
            "exec_target_missing",
        ),
        (
            500,
            document(
                500,
                "error dialing backend: dial tcp 127.0.0.1:10250: connect: connection refused",
            ),
            "runtime_unavailable",
        ),
        (
            429,
            document(429, "too many requests, please try again later"),
            "runtime_unavailable",
        ),
        (
            503,
            b"upstream connect error".to_vec(),
            "runtime_unavailable",
        ),
        (200, b"<html>sign in</html>".to_vec(), "runtime_unavailable"),
    ]
}

/// What the recorded answers are read as.
pub(in crate::kubernetes) fn signals() -> Vec<Signal> {
    let refused = before_the_stream().into_iter();
    let refused = refused.map(|(code, body, _)| Status::read(&body).refused(&target(), code));
    let ended = on_the_status_channel().into_iter();
    let ended = ended.map(|(document, _)| Status::read(&document).ended(&target(), b""));
    refused.chain(ended).collect()
}

#[test]
fn answers_of_an_api_server_before_the_stream_have_their_signals() {
    for (code, body, expected) in before_the_stream() {
        let signal = Status::read(&body).refused(&target(), code);
        assert_eq!(
            signal.kind(),
            expected,
            "{code} {}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn a_server_s_wish_to_wait_is_passed_on() {
    let busy = status(
        "Failure",
        "busy",
        r#","code":429,"details":{"retryAfterSeconds":3}"#,
    );
    let signal = Status::read(&busy).refused(&target(), 429);
    let Signal::RuntimeUnavailable {
        retry_after_ms,
        status,
        ..
    } = signal
    else {
        panic!("{signal:?}");
    };
    assert_eq!((retry_after_ms, status), (Some(3000), Some(429)));
}

fn internal_error(message: &str) -> Vec<u8> {
    let cause = format!(
        r#","reason":"InternalError","details":{{"causes":[{{"message":{message:?}}}]}},"code":500"#
    );
    status(
        "Failure",
        &format!("Internal error occurred: {message}"),
        &cause,
    )
}

fn on_the_status_channel() -> [(Vec<u8>, &'static str); 7] {
    [
        (
            internal_error(
                r#"error executing command in container: failed to exec in container: failed to start exec "8e5bca": OCI runtime exec failed: exec failed: unable to start container process: exec: "/carrel/keeper": stat /carrel/keeper: no such file or directory: unknown"#,
            ),
            "shell_unavailable",
        ),
        (
            internal_error(
                r#"error executing command in container: failed to exec in container: failed to start exec "92bfff": OCI runtime exec failed: exec failed: unable to start container process: exec: "/carrel/keeper": permission denied: unknown"#,
            ),
            "shell_unavailable",
        ),
        (
            internal_error(
                "error executing command in container: container is not created or running",
            ),
            "exec_target_missing",
        ),
        (
            internal_error(r#"container not found ("environment")"#),
            "exec_target_missing",
        ),
        (
            internal_error("error sending request: Post \"https://127.0.0.1:10250/exec\": EOF"),
            "runtime_unavailable",
        ),
        (
            status(
                "Failure",
                "pods \"x\" not found",
                r#","reason":"NotFound","details":{"kind":"pods"},"code":404"#,
            ),
            "vanished",
        ),
        (b"garbage".to_vec(), "runtime_unavailable"),
    ]
}

#[test]
fn ends_on_the_status_channel_have_their_signals() {
    for (document, expected) in on_the_status_channel() {
        let status = Status::read(&document);
        assert!(!status.is_success());
        let signal = status.ended(&target(), b"");
        assert_eq!(
            signal.kind(),
            expected,
            "{}",
            String::from_utf8_lossy(&document)
        );
    }
}

#[test]
fn an_exit_code_comes_with_what_the_command_said_last() {
    let exited = |code: i32| {
        let said = format!("command terminated with exit code {code}");
        let more = format!(
            r#","reason":"NonZeroExitCode","details":{{"causes":[{{"reason":"ExitCode","message":"{code}"}}]}}"#
        );
        Status::read(&status("Failure", &said, &more))
    };
    for code in [1, 126, 127, 137] {
        let spoken = exited(code).ended(&target(), b"keeper: no socket\n");
        let expected = Signal::ShellUnavailable {
            exit_code: Some(code),
            message: "keeper: no socket".to_owned(),
        };
        assert_eq!(spoken, expected);
        let Signal::ShellUnavailable { message, .. } = exited(code).ended(&target(), b"") else {
            panic!("another signal");
        };
        assert_eq!(message, format!("command terminated with exit code {code}"));
    }
}

#[test]
fn success_is_read_as_such() {
    assert!(Status::read(br#"{"metadata":{},"status":"Success"}"#).is_success());
}
