//! What a command prints on success: one JSON document with a named, versioned schema.

use serde::Serialize;
use serde_json::Value;

use crate::Exit;

/// The one document a command puts on stdout.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(crate) schema: &'static str,
    pub(crate) data: Value,
    pub(crate) text: Option<String>,
    pub(crate) exit: Exit,
    pub(crate) is_printed: bool,
}

impl Document {
    /// Wraps the data of a schema such as `session-lifecycle/show.v1`.
    ///
    /// # Panics
    /// When `data` cannot be JSON, as a map with keys that are no text: a bug in its type.
    pub fn new(schema: &'static str, data: impl Serialize) -> Self {
        let data = serde_json::to_value(data).expect("documents are built from plain JSON types");
        Self {
            schema,
            data,
            text: None,
            exit: Exit::Ok,
            is_printed: false,
        }
    }

    /// Prints nothing more: what was asked for is no JSON and is on stdout already.
    pub const fn already_printed() -> Self {
        Self {
            schema: "",
            data: Value::Null,
            text: None,
            exit: Exit::Ok,
            is_printed: true,
        }
    }

    /// Adds what `--output text` prints; without it people get indented JSON.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Ends the command with another code than 0 although it has something to say.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub(crate) fn to_json_line(&self) -> String {
        format!(r#"{{"schema":"{}","data":{}}}"#, self.schema, self.data)
    }

    pub(crate) fn to_text(&self) -> String {
        self.text
            .clone()
            .unwrap_or_else(|| format!("{:#}", self.data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_comes_first_and_the_data_stays_json() {
        let document = Document::new("x/y.v1", serde_json::json!({ "b": 1, "a": null }));
        assert_eq!(
            document.to_json_line(),
            r#"{"schema":"x/y.v1","data":{"a":null,"b":1}}"#
        );
    }

    #[test]
    fn text_falls_back_to_indented_json() {
        let document = Document::new("x/y.v1", [1]);
        assert_eq!(document.to_text(), "[\n  1\n]");
        assert_eq!(document.with_text("one").to_text(), "one");
    }
}
