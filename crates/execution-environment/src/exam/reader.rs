//! Takes fields out of JSON objects and reports what cannot be taken.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::FieldError;

/// Says whether a field may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
}

/// Takes fields out of one object, reporting under their dotted paths.
pub(super) struct Reader<'a> {
    path: String,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        path: &str,
        object: &'a Map<String, Value>,
        errors: &'a mut Vec<FieldError>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            object,
            known: Vec::new(),
            errors,
        }
    }

    fn named(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    pub(super) fn report(&mut self, field: &str, message: impl Into<String>, next: &str) {
        let field = self.named(field);
        // A value that could not be read is reported once, as what it is.
        if !self.errors.iter().any(|known| known.field == field) {
            self.errors.push(FieldError::new(field, message, next));
        }
    }

    fn take(&mut self, field: &'static str, presence: Presence) -> Option<&'a Value> {
        self.known.push(field);
        let value = self
            .object
            .get(field)
            .filter(|value| presence == Presence::Required || !value.is_null());
        if value.is_none() && presence == Presence::Required {
            self.report(field, "is missing", "add it");
        }
        value
    }

    pub(super) fn text(&mut self, field: &'static str) -> String {
        match self.take(field, Presence::Required) {
            Some(Value::String(text)) => text.clone(),
            Some(_) => {
                self.report(field, "is not text", "give a string");
                String::new()
            }
            None => String::new(),
        }
    }

    pub(super) fn optional_text(&mut self, field: &'static str) -> Option<String> {
        let text = self
            .take(field, Presence::Optional)?
            .as_str()
            .map(str::to_owned);
        if text.is_none() {
            self.report(field, "is not text", "give a string or leave it out");
        }
        text
    }

    pub(super) fn texts(&mut self, field: &'static str, presence: Presence) -> Vec<String> {
        let Some(value) = self.take(field, presence) else {
            return Vec::new();
        };
        let texts = value.as_array().and_then(|values| {
            values
                .iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.report(field, "is not a list of strings", "give a list of strings");
        }
        texts.unwrap_or_default()
    }

    pub(super) fn number(&mut self, field: &'static str) -> u64 {
        match self.take(field, Presence::Required) {
            Some(value) => self.whole(field, value),
            None => 0,
        }
    }

    pub(super) fn number_or(&mut self, field: &'static str, default: u64) -> u64 {
        match self.take(field, Presence::Optional) {
            Some(value) => self.whole(field, value),
            None => default,
        }
    }

    pub(super) fn optional_number(&mut self, field: &'static str) -> Option<u64> {
        let value = self.take(field, Presence::Optional)?;
        Some(self.whole(field, value))
    }

    fn whole(&mut self, field: &'static str, value: &Value) -> u64 {
        value.as_u64().unwrap_or_else(|| {
            self.report(
                field,
                format!("is {value}"),
                "give a whole number, not negative",
            );
            0
        })
    }

    pub(super) fn small(&mut self, field: &'static str) -> u32 {
        let number = self.number(field);
        u32::try_from(number).unwrap_or_else(|_| {
            self.report(field, format!("is {number}"), "give a smaller number");
            0
        })
    }

    pub(super) fn flag(&mut self, field: &'static str) -> bool {
        match self.take(field, Presence::Optional) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.report(field, "is not true or false", "give true or false");
                false
            }
        }
    }

    pub(super) fn moment(&mut self, field: &'static str) -> DateTime<Utc> {
        let text = self.text(field);
        self.parse_moment(field, &text)
            .unwrap_or(DateTime::UNIX_EPOCH)
    }

    pub(super) fn optional_moment(&mut self, field: &'static str) -> Option<DateTime<Utc>> {
        let text = self.optional_text(field)?;
        self.parse_moment(field, &text)
    }

    fn parse_moment(&mut self, field: &str, text: &str) -> Option<DateTime<Utc>> {
        let moment = DateTime::parse_from_rfc3339(text);
        if moment.is_err() {
            self.report(
                field,
                "is not a moment",
                "give RFC 3339 with an offset, such as 2027-01-31T09:00:00Z",
            );
        }
        moment.ok().map(|moment| moment.with_timezone(&Utc))
    }

    pub(super) fn object(&mut self, field: &'static str) -> Option<Reader<'_>> {
        let path = self.named(field);
        match self.take(field, Presence::Required) {
            Some(Value::Object(object)) => Some(Reader::new(&path, object, self.errors)),
            Some(_) => {
                self.report(field, "is not an object", "give an object");
                None
            }
            None => None,
        }
    }

    /// Reports what nobody asked for: most often a misspelt optional field.
    pub(super) fn finish(mut self) {
        let unknown: Vec<String> = self
            .object
            .keys()
            .filter(|field| !self.known.contains(&field.as_str()))
            .cloned()
            .collect();
        for field in unknown {
            self.report(
                &field,
                "is not a field of an exam",
                "remove it or mend its name",
            );
        }
    }
}
