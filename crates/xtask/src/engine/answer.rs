//! How the engine's API is written to and answers.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use crate::failure::Failure;
use crate::http::Response;

/// Takes a good answer, and turns any other into what the engine said about it.
pub(super) fn accept(answer: Response, purpose: &str) -> Result<Response> {
    if answer.status < 400 {
        return Ok(answer);
    }
    let message = answer
        .json()
        .ok()
        .and_then(|it| it["message"].as_str().map(str::to_owned));
    Err(Failure::new(format!(
        "the container engine would not {purpose} ({})",
        answer.status
    ))
    .because(message.unwrap_or_else(|| answer.text()))
    .into())
}

/// Long calls answer 200 first and report a failure inside their stream.
pub(super) fn accept_stream(answer: Response, purpose: &str) -> Result<()> {
    let answer = accept(answer, purpose)?;
    let text = answer.text();
    let mut documents = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let error = documents.find_map(|it| it["error"].as_str().map(str::to_owned));
    match error {
        Some(error) => Err(
            Failure::new(format!("the container engine could not {purpose}"))
                .because(error)
                .into(),
        ),
        None => Ok(()),
    }
}

/// Takes the 8-byte stream headers out of a container's output.
pub(super) fn without_frames(mut bytes: &[u8]) -> String {
    let mut text = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        if header[0] > 2 || header[1..4] != [0, 0, 0] {
            break;
        }
        let size = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let (frame, after) = rest.split_at(size.min(rest.len()));
        text.extend_from_slice(frame);
        bytes = after;
    }
    text.extend_from_slice(bytes);
    String::from_utf8_lossy(&text).into_owned()
}

/// Percent-encodes a value of a query.
pub(super) fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                quoted.push(char::from(byte));
            }
            _ => write!(quoted, "%{byte:02X}").expect("a String takes every write"),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_headers_are_taken_out_of_logs() {
        let mut wire = vec![1, 0, 0, 0, 0, 0, 0, 3];
        wire.extend(b"one");
        wire.extend([2, 0, 0, 0, 0, 0, 0, 3]);
        wire.extend(b"two");
        assert_eq!(without_frames(&wire), "onetwo");
        assert_eq!(
            without_frames(b"plain text of a terminal"),
            "plain text of a terminal"
        );
    }

    #[test]
    fn a_query_value_cannot_break_out() {
        assert_eq!(quote(r#"CMD ["a&b"]"#), "CMD%20%5B%22a%26b%22%5D");
    }

    #[test]
    fn a_failure_inside_a_stream_is_a_failure() {
        let body = b"{\"status\":\"ok\"}\n{\"error\":\"no space left\"}\n".to_vec();
        let error = accept_stream(Response { status: 200, body }, "import an image").unwrap_err();
        assert_eq!(
            error.downcast_ref::<Failure>().unwrap().why(),
            Some("no space left")
        );
    }
}
