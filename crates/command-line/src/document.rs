//! What a command prints on success: one JSON document with a named, versioned schema.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Exit, OutputFormat};

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

    /// Adds a line below what people read.
    #[must_use]
    pub fn with_line(mut self, line: &str) -> Self {
        self.text = Some(format!("{}\n{line}", self.to_text()));
        self
    }

    /// Makes what was done in a transaction that was rolled back into what would be done, and to which
    /// ids, under a schema of its own.
    #[must_use]
    pub fn as_preview(self, schema: &'static str, ids: &[String]) -> Self {
        let text = format!("nothing changed; it would be:\n{}", self.to_text());
        let data = json!({ "count": ids.len(), "ids": ids, "would_be": self.data });
        Self::new(schema, data).with_text(text)
    }

    /// Ends the command with another code than 0 although it has something to say.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds a particular that stands beside what is in the data.
    ///
    /// # Panics
    /// When the data are no JSON object: a bug of whoever made them.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if !self.is_printed {
            let value = serde_json::to_value(value);
            self.data[name] = value.expect("documents are built from plain JSON types");
        }
        self
    }

    /// Writes it as it was asked for.
    pub(crate) fn told(&self, output: OutputFormat) -> String {
        if output.is_for_people() {
            self.to_text()
        } else {
            self.to_json_line()
        }
    }

    pub(crate) fn to_json_line(&self) -> String {
        format!(r#"{{"schema":"{}","data":{}}}"#, self.schema, self.data)
    }

    /// Writes a part of what the schema says: `x/list.v1` consists of `x/list-row.v1`.
    pub(crate) fn to_json_row(&self, part: &str) -> String {
        let (list, version) = self.schema.rsplit_once('.').unwrap_or((self.schema, "v1"));
        let data = &self.data;
        format!(r#"{{"schema":"{list}-{part}.{version}","data":{data}}}"#)
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
    fn a_preview_says_what_it_would_be_and_for_whom() {
        let would_be = Document::new("x/pause.v1", json!({ "queue": "q" })).with_text("q paused");
        let preview = would_be.as_preview("x/preview.v1", &["q".to_owned()]);
        assert_eq!(
            preview.to_json_line(),
            r#"{"schema":"x/preview.v1","data":{"count":1,"ids":["q"],"would_be":{"queue":"q"}}}"#
        );
        assert_eq!(preview.to_text(), "nothing changed; it would be:\nq paused");
    }

    #[test]
    fn text_falls_back_to_indented_json() {
        let document = Document::new("x/y.v1", [1]);
        assert_eq!(document.to_text(), "[\n  1\n]");
        assert_eq!(document.with_text("one").to_text(), "one");
    }
}
