//! The stable codes of problem documents.

use actix_web::http::StatusCode;

macro_rules! problem_codes {
    ($($variant:ident = $status:ident $code:literal $title:literal;)+) => {
        /// Names one kind of problem; its text form never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum ProblemCode {
            $(#[doc = $title] $variant,)+
        }

        impl ProblemCode {
            /// Every code, in the order of the documentation.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the text form.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Returns the HTTP status it is answered with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// Returns the kind in words.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

problem_codes! {
    JsonInvalid = BAD_REQUEST "request.json_invalid" "The body is not a JSON object";
    ContentType = UNSUPPORTED_MEDIA_TYPE "request.content_type" "The body is not declared as JSON";
    TooLarge = PAYLOAD_TOO_LARGE "request.too_large" "The body is too large";
    BodyUnread = BAD_REQUEST "request.body_unread" "The body did not arrive whole";
    FieldMissing = UNPROCESSABLE_ENTITY "request.field_missing" "A field is missing";
    FieldUnknown = UNPROCESSABLE_ENTITY "request.field_unknown" "A field is unknown";
    FieldInvalid = UNPROCESSABLE_ENTITY "request.field_invalid" "A field is not valid";
    PathInvalid = BAD_REQUEST "request.path_invalid" "A part of the path is not valid";
    QueryUnknown = BAD_REQUEST "request.query_unknown" "A query parameter is unknown";
    HeaderInvalid = BAD_REQUEST "request.header_invalid" "A header is not valid";
    RouteUnknown = NOT_FOUND "route.unknown" "There is no such route";
    RouteMethod = METHOD_NOT_ALLOWED "route.method_not_allowed" "The route does not answer this method";
    LoginRequired = UNAUTHORIZED "login.required" "A login is required";
    RoleNotPermitted = FORBIDDEN "role.not_permitted" "The role may not do this";
    OriginNotAllowed = FORBIDDEN "origin.not_allowed" "The page's origin may not do this";
    SessionNotAvailable = NOT_FOUND "session.not_available" "Not available";
    SessionEnded = GONE "session.ended" "The session has ended";
    RecordingUnknown = NOT_FOUND "recording.not_found" "Nothing is recorded";
    NoDeadlineYet = CONFLICT "session.no_deadline_yet" "The session has no deadline yet";
    BeyondCap = CONFLICT "extension.beyond_cap" "The extension passes the exam's absolute end";
    StillPast = CONFLICT "extension.still_past" "The extension would end in the past";
    ExamUnknown = UNPROCESSABLE_ENTITY "exam.unknown" "There is no such exam";
    WindowNotOpen = CONFLICT "exam.window_not_open" "The exam's window has not begun";
    WindowClosed = CONFLICT "exam.window_closed" "The exam's window is over";
    KeyReused = CONFLICT "idempotency.key_reused" "The idempotency key stands for another request";
    KeyMissing = BAD_REQUEST "idempotency.key_missing" "The idempotency key is missing";
    TooManyStreams = SERVICE_UNAVAILABLE "streams.exhausted" "Too many event streams are open";
    Unavailable = SERVICE_UNAVAILABLE "service.unavailable" "The service is briefly unavailable";
    Internal = INTERNAL_SERVER_ERROR "internal.failed" "The request failed on our side";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_kinds_share_a_code_and_every_one_is_an_error() {
        let codes: BTreeSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.as_str().split_once('.').is_some(), "{}", code.as_str());
        }
    }

    #[test]
    fn the_readme_lists_every_code_with_its_status() {
        let readme = include_str!("../README.md");
        for code in ProblemCode::ALL {
            let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
            assert!(readme.contains(&row), "{row}");
        }
    }
}
