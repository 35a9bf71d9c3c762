//! What a payload holds, as people write it.

use std::str::FromStr;

use command_line::CliError;
use serde_json::{Map, Value};

/// One field of a payload and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Holds {
    key: String,
    value: Value,
}

impl FromStr for Holds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value_of(value),
            }),
            _ => Err("write a field of the payload and its value, such as exam=rust-1".to_owned()),
        }
    }
}

/// Ids and names are texts, and nobody wants to quote them twice for a shell. Nor is a list meant by
/// a text that begins with a bracket.
fn value_of(text: &str) -> Value {
    let read = serde_json::from_str(text).ok();
    let read = read.filter(|value: &Value| !value.is_array() && !value.is_object());
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Joins what is asked of one payload; `None` where nothing is.
///
/// # Errors
/// A usage error for `where`, when a field is asked to have two values.
pub(super) fn together(all: &[Holds]) -> Result<Option<Value>, CliError> {
    let mut payload = Map::new();
    for Holds { key, value } in all {
        let before = payload.insert(key.clone(), value.clone());
        if before.is_some_and(|before| before != *value) {
            let message = format!("no payload holds two values of {key:?}");
            return Err(CliError::usage("where", message).next("give each field once"));
        }
    }
    Ok((!payload.is_empty()).then_some(Value::Object(payload)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(all: &[&str]) -> Result<Option<Value>, CliError> {
        let all: Vec<_> = all.iter().map(|text| text.parse().unwrap()).collect();
        together(&all)
    }

    #[test]
    fn a_value_is_text_unless_it_is_one_of_json() {
        let wanted = ["exam=rust-1", "tries=3", r#"room="3""#, "empty=", "a=b=c"];
        assert_eq!(
            read(&wanted).unwrap(),
            Some(json!({ "exam": "rust-1", "tries": 3, "room": "3", "empty": "", "a": "b=c" }))
        );
        let texts = ["a=[1]", "b={}", "c={\"d\": 1}", "e=truth"];
        assert_eq!(
            read(&texts).unwrap(),
            Some(json!({ "a": "[1]", "b": "{}", "c": r#"{"d": 1}"#, "e": "truth" }))
        );
        let values = ["a=true", "b=false", "c=null", "d=-1.5", r#"e="true""#];
        assert_eq!(
            read(&values).unwrap(),
            Some(json!({ "a": true, "b": false, "c": null, "d": -1.5, "e": "true" }))
        );
        assert_eq!(read(&[]).unwrap(), None);
        for wrong in ["", "exam", "=3"] {
            assert!(wrong.parse::<Holds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_values_of_one_field_are_refused() {
        let error = read(&["n=1", "n=2"]).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("where"));
        assert!(read(&["n=1", "n=1"]).is_ok());
    }
}
