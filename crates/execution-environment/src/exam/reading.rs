//! Reads a definition from JSON and names every field that is missing, unknown or of a wrong type.
//!
//! Serde stops at the first fault and does not say where it is; a person who writes an exam
//! deserves all of them, by name.

use serde_json::{Map, Value};

use super::reader::{Presence, Reader};
use super::{ClockPolicy, ExamDefinition, ExamUser, FieldError, Limits, Recording};

/// No definition needs more; what is longer is not one.
const MAX_BYTES: usize = 64 * 1024;

pub(crate) fn read(json: &str) -> Result<ExamDefinition, Vec<FieldError>> {
    let document = document(json).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let exam = definition(Reader::new("", &document, &mut errors));
    // A field that could not be read has a placeholder, about which nothing more is to be said.
    let unread = errors.len();
    for error in exam.validate() {
        if !errors[..unread]
            .iter()
            .any(|known| covers(&known.field, &error.field))
        {
            errors.push(error);
        }
    }
    if errors.is_empty() {
        Ok(exam)
    } else {
        Err(errors)
    }
}

fn covers(unread: &str, field: &str) -> bool {
    field
        .strip_prefix(unread)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn document(json: &str) -> Result<Map<String, Value>, FieldError> {
    let next = "give one JSON object";
    if json.len() > MAX_BYTES {
        return Err(FieldError::new(
            "definition",
            format!("has {} bytes", json.len()),
            "give at most 65536 bytes",
        ));
    }
    match serde_json::from_str(json) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(FieldError::new("definition", "is not an object", next)),
        Err(error) => Err(FieldError::new(
            "definition",
            format!("is not JSON: {error}"),
            next,
        )),
    }
}

fn definition(mut reader: Reader<'_>) -> ExamDefinition {
    let exam = ExamDefinition {
        name: reader.text("name"),
        title: reader.text("title"),
        image: reader.text("image"),
        shell: reader.texts("shell", Presence::Required),
        user: reader.object("user").map_or_else(no_user, user),
        workdir: reader.text("workdir"),
        limits: reader.object("limits").map_or_else(no_limits, limits),
        egress: reader.texts("egress", Presence::Optional),
        clock: reader.object("clock").map_or(NO_CLOCK, clock),
        absolute_cap_seconds: reader.number("absolute_cap_seconds"),
        startup_budget_seconds: reader.number_or(
            "startup_budget_seconds",
            super::DEFAULT_STARTUP_BUDGET_SECONDS,
        ),
        no_show_after_seconds: reader.optional_number("no_show_after_seconds"),
        recording: recording(&mut reader),
        record_input: reader.flag("record_input"),
        runtime_class: reader.optional_text("runtime_class"),
        user_namespaces: reader.flag("user_namespaces"),
    };
    reader.finish();
    exam
}

fn no_user() -> ExamUser {
    ExamUser {
        uid: 0,
        gid: 0,
        name: String::new(),
    }
}

fn no_limits() -> Limits {
    Limits {
        cpu_millis: 0,
        memory_mib: 0,
        pids: 0,
        scratch_mib: 0,
    }
}

/// In range, so that a clock without a kind is one fault.
const NO_CLOCK: ClockPolicy = ClockPolicy::FromFirstAttach {
    duration_seconds: 1,
};

fn user(mut reader: Reader<'_>) -> ExamUser {
    let user = ExamUser {
        uid: reader.small("uid"),
        gid: reader.small("gid"),
        name: reader.text("name"),
    };
    reader.finish();
    user
}

fn limits(mut reader: Reader<'_>) -> Limits {
    let limits = Limits {
        cpu_millis: reader.small("cpu_millis"),
        memory_mib: reader.small("memory_mib"),
        pids: reader.small("pids"),
        scratch_mib: reader.small("scratch_mib"),
    };
    reader.finish();
    limits
}

fn clock(mut reader: Reader<'_>) -> ClockPolicy {
    let clock = match reader.text("kind").as_str() {
        "from_first_attach" => ClockPolicy::FromFirstAttach {
            duration_seconds: reader.number("duration_seconds"),
        },
        "window" => ClockPolicy::Window {
            starts_at: reader.optional_moment("starts_at"),
            ends_at: reader.moment("ends_at"),
        },
        other => {
            let message = format!("is {other:?}");
            reader.report("kind", message, "give \"from_first_attach\" or \"window\"");
            return NO_CLOCK;
        }
    };
    reader.finish();
    clock
}

fn recording(reader: &mut Reader<'_>) -> Recording {
    match reader.optional_text("recording").as_deref() {
        None | Some("off") => Recording::Off,
        Some("fail_open") => Recording::FailOpen,
        Some("fail_closed") => Recording::FailClosed,
        Some(other) => {
            reader.report(
                "recording",
                format!("is {other:?}"),
                "give \"off\", \"fail_open\" or \"fail_closed\", or leave it out",
            );
            Recording::Off
        }
    }
}
