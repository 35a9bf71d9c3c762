//! The fields of a JSON object, taken one by one so that each refusal names its field.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use crate::problem::{ApiError, shorten};
use crate::problem_code::ProblemCode;

/// Holds the fields of a body that have not been taken yet.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Reads a body. Syntax errors name line and column; unknown and repeated fields are named.
    pub(crate) fn parse(body: &[u8], known: &[&str]) -> Result<Self, ApiError> {
        let Unique(values) = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        match values.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self(values)),
            Some(name) => Err(unknown(name, known)),
        }
    }

    /// Takes a text that must be there.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, ApiError> {
        self.optional_text(name)?.ok_or_else(|| {
            let detail = format!("{name} is missing");
            ApiError::field(ProblemCode::FieldMissing, name, detail)
        })
    }

    /// Takes a text that may be absent or null.
    pub(crate) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, "a text", &other)),
        }
    }

    /// Takes a whole number within bounds that must be there.
    pub(crate) fn integer(
        &mut self,
        name: &'static str,
        bounds: std::ops::RangeInclusive<i32>,
    ) -> Result<i32, ApiError> {
        self.optional_integer(name, bounds)?.ok_or_else(|| {
            let detail = format!("{name} is missing");
            ApiError::field(ProblemCode::FieldMissing, name, detail)
        })
    }

    /// Takes a whole number within bounds that may be absent or null.
    pub(crate) fn optional_integer(
        &mut self,
        name: &'static str,
        bounds: std::ops::RangeInclusive<i32>,
    ) -> Result<Option<i32>, ApiError> {
        let value = match self.0.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number,
            Some(other) => return Err(wrong_type(name, "a whole number", &other)),
        };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        number
            .filter(|number| bounds.contains(number))
            .map(Some)
            .ok_or_else(|| {
                let (least, most) = (bounds.start(), bounds.end());
                invalid(
                    name,
                    format!("{name} is {value}, allowed are whole numbers {least} to {most}"),
                )
            })
    }
}

/// Makes the problem of a field whose value is not acceptable.
pub(crate) fn invalid(name: &str, detail: impl Into<String>) -> ApiError {
    ApiError::field(ProblemCode::FieldInvalid, name, detail)
}

fn unknown(name: &str, known: &[&str]) -> ApiError {
    let detail = format!("there is no field {:?}", shorten(name));
    ApiError::field(ProblemCode::FieldUnknown, name, detail)
        .next(format!("the fields are: {}", known.join(", ")))
}

fn wrong_type(name: &str, wanted: &str, found: &Value) -> ApiError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    invalid(name, format!("{name} is {found}, wanted is {wanted}"))
}

fn not_json(error: &serde_json::Error) -> ApiError {
    // The parser's own words hold no part of the body except field names, which are the caller's.
    ApiError::new(
        ProblemCode::JsonInvalid,
        shorten_sentence(&error.to_string()),
    )
    .next("send one JSON object")
}

fn shorten_sentence(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A JSON object in which no field stands twice: of two, parsers disagree which one counts.
struct Unique(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if values.contains_key(&name) {
                return Err(A::Error::custom(format!("the field {name:?} stands twice")));
            }
            values.insert(name, value);
        }
        Ok(Unique(values))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    fn refusal(body: &str) -> (u16, String) {
        let error = Fields::parse(body.as_bytes(), &["exam"]).expect_err(body);
        (error.status_code().as_u16(), error.to_string())
    }

    #[test]
    fn a_syntax_error_names_its_position() {
        for body in [
            "",
            "{",
            "[1]",
            "\"x\"",
            "{\"exam\":}",
            "{} {}",
            "\u{feff}{}",
        ] {
            let (status, text) = refusal(body);
            assert_eq!(status, 400, "{body}");
            assert!(text.contains("line 1 column"), "{body}: {text}");
        }
    }

    #[test]
    fn a_repeated_field_is_refused() {
        let (status, text) = refusal(r#"{"exam":"a","exam":"b"}"#);
        assert_eq!(status, 400);
        assert!(text.contains("stands twice"), "{text}");
    }

    #[test]
    fn an_unknown_field_is_named_and_the_known_ones_listed() {
        let (status, text) = refusal(r#"{"exam":"a","exma":1}"#);
        assert_eq!((status, text.contains("exma")), (422, true));
    }

    #[test]
    fn deep_nesting_is_refused_without_falling_over() {
        let (status, _) = refusal(&format!("{{\"exam\":{}", "[".repeat(10_000)));
        assert_eq!(status, 400);
    }

    #[test]
    fn whole_numbers_are_held_to_their_bounds() {
        for (number, accepted) in [
            ("1", true),
            ("0", false),
            ("-1", false),
            ("1.5", false),
            ("1e3", false),
        ] {
            let body = format!("{{\"exam\":{number}}}");
            let mut fields = Fields::parse(body.as_bytes(), &["exam"]).unwrap();
            assert_eq!(fields.integer("exam", 1..=9).is_ok(), accepted, "{number}");
        }
        let mut fields = Fields::parse(b"{\"exam\":99999999999999999999}", &["exam"]).unwrap();
        assert!(fields.integer("exam", 1..=9).is_err());
    }
}
