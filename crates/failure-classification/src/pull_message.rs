//! Image sources answer in prose; this reads it.

use crate::Signal;

/// Words of a missing image. Checked before the refusals, because several sources append
/// "may require 'docker login'" to the answer for an image that does not exist.
const MISSING: &[&str] = &[
    "not found",
    "manifest unknown",
    "name unknown",
    "no such image",
    "no matching manifest",
    "no match for platform",
    "does not exist",
    "no image found",
];
const DENIED: &[&str] = &[
    "unauthorized",
    "unauthorised",
    "authentication required",
    "denied",
    "forbidden",
    "no basic auth",
];
const INVALID: &[&str] = &[
    "invalid reference format",
    "couldn't parse image",
    "invalid repository name",
];
/// A name that does not resolve is the source, not the image: checked before the missing words.
const UNREACHABLE: &[&str] = &["no such host", "server misbehaving", "dial tcp", "lookup "];

/// Reads an image source's answer into the signal it means.
///
/// What is neither missing, refused nor malformed counts as an unavailable source: timeouts, TLS,
/// 5xx, 429, DNS, resets and prose nobody has seen yet, all of which another attempt may not meet.
pub fn from_pull_message(image: &str, message: &str) -> Signal {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let (image, message) = (image.to_owned(), message.to_owned());
    if says(INVALID) {
        Signal::ImageNameInvalid { image }
    } else if says(UNREACHABLE) {
        Signal::ImageSourceUnavailable { image, message }
    } else if says(MISSING) {
        Signal::ImageMissing { image, message }
    } else if says(DENIED) {
        Signal::ImageDenied { image, message }
    } else {
        Signal::ImageSourceUnavailable { image, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(message: &str) -> &'static str {
        from_pull_message("exam:1", message).kind()
    }

    #[test]
    fn real_answers_of_sources_are_read_as_they_mean() {
        let cases = [
            (
                "manifest for exam:1 not found: manifest unknown",
                "image_missing",
            ),
            (
                "no matching manifest for linux/arm64/v8 in the manifest list entries",
                "image_missing",
            ),
            ("No such image: exam:1", "image_missing"),
            (
                "pull access denied for exam, repository does not exist or may require 'docker login'",
                "image_missing",
            ),
            ("unauthorized: authentication required", "image_denied"),
            (
                "denied: requested access to the resource is denied",
                "image_denied",
            ),
            (
                "received unexpected HTTP status: 403 Forbidden",
                "image_denied",
            ),
            (
                "dial tcp: lookup images.example: no such host",
                "image_source_unavailable",
            ),
            (
                "net/http: TLS handshake timeout",
                "image_source_unavailable",
            ),
            ("toomanyrequests: rate exceeded", "image_source_unavailable"),
            ("read: connection reset by peer", "image_source_unavailable"),
            (
                "invalid reference format: repository name must be lowercase",
                "image_name_invalid",
            ),
        ];
        for (message, expected) in cases {
            assert_eq!(kind(message), expected, "{message}");
        }
    }

    #[test]
    fn the_source_s_own_words_are_kept() {
        let signal = from_pull_message("exam:1", "manifest unknown");
        assert_eq!(signal.said().as_deref(), Some("exam:1; manifest unknown"));
    }
}
