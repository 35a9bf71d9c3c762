//! Signals as an operator types them.

use serde_json::{Map, Value};

use crate::{Classified, Phase, Signal, classify, from_kubernetes_reason};

/// Reports a context that does not describe the named signal.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The context is JSON, but not an object.
    #[error("the context must be a JSON object, not {found}")]
    NotAnObject {
        /// What it was: `array`, `string` and so on.
        found: &'static str,
    },
    /// A field is missing, unknown or has the wrong type.
    #[error("the context does not describe the signal {kind}: {detail}")]
    Mismatch {
        /// The kind that was named.
        kind: String,
        /// What is wrong, naming the field.
        detail: String,
    },
}

/// Classifies a signal given as its kind word (`image_missing`) or as a Kubernetes reason
/// (`ImagePullBackOff`, with `image` and `message` in the context) and its fields.
///
/// A kind nobody listed is no error: it is classified as `infra.unclassified`, as it would be in
/// the worker.
pub fn classify_context(
    kind: &str,
    context: &Value,
    phase: Phase,
) -> Result<Classified, ContextError> {
    let Value::Object(fields) = context else {
        return Err(ContextError::NotAnObject {
            found: type_name(context),
        });
    };
    if Signal::KINDS.contains(&kind) {
        return Ok(classify(&listed(kind, fields)?, phase));
    }
    let text = |field| {
        fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let signal = from_kubernetes_reason(kind, text("image"), text("message"));
    Ok(classify(
        &signal.unwrap_or_else(|| unlisted(kind, fields)),
        phase,
    ))
}

fn listed(kind: &str, fields: &Map<String, Value>) -> Result<Signal, ContextError> {
    let mut fields = fields.clone();
    fields.insert("kind".to_owned(), Value::String(kind.to_owned()));
    serde_json::from_value(Value::Object(fields)).map_err(|error| ContextError::Mismatch {
        kind: kind.to_owned(),
        detail: error.to_string(),
    })
}

fn unlisted(kind: &str, fields: &Map<String, Value>) -> Signal {
    let message = if fields.is_empty() {
        String::new()
    } else {
        Value::Object(fields.clone()).to_string()
    };
    Signal::Unlisted {
        source: "context".to_owned(),
        reason: kind.to_owned(),
        message,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(kind: &str, context: &Value) -> &'static str {
        classify_context(kind, context, Phase::BeforeReady)
            .expect(kind)
            .code()
            .as_str()
    }

    #[test]
    fn a_listed_kind_is_read_with_its_fields() {
        let context = json!({"image": "exam:1", "message": "manifest unknown"});
        assert_eq!(code("image_missing", &context), "init.image_missing");
    }

    #[test]
    fn a_kubernetes_reason_is_read_too() {
        let context = json!({"image": "exam:1", "message": "manifest unknown"});
        assert_eq!(code("ImagePullBackOff", &context), "init.image_missing");
    }

    #[test]
    fn an_unlisted_kind_is_unclassified_and_keeps_its_context() {
        let verdict =
            classify_context("martians", &json!({"count": 3}), Phase::AfterReady).unwrap();
        assert_eq!(verdict.code().as_str(), "infra.unclassified");
        assert!(verdict.operator_text.contains("martians; {\"count\":3}"));
    }

    #[test]
    fn a_missing_unknown_or_mistyped_field_is_named() {
        for (context, named) in [
            (json!({}), "image"),
            (json!({"image": 3}), "integer `3`"),
            (json!({"image": "x", "colour": "red"}), "colour"),
        ] {
            let error = classify_context("image_missing", &context, Phase::BeforeReady);
            let error = error.expect_err(named).to_string();
            assert!(
                error.contains(named) && error.contains("image_missing"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_context_that_is_no_object_is_refused() {
        for (context, found) in [
            (json!([]), "array"),
            (json!("x"), "string"),
            (Value::Null, "null"),
        ] {
            let error = classify_context("exited", &context, Phase::BeforeReady).unwrap_err();
            assert!(error.to_string().contains(found));
        }
    }
}
