//! Which values of an exam definition are acceptable.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use serde::Serialize;

use super::text::{is_destination, is_label, is_login_name, text_fault};
use super::{ClockPolicy, ExamDefinition, Recording, image, paths};

/// Names one field of a definition that is not acceptable, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Dotted path of the field, for example `limits.memory_mib`.
    pub field: String,
    /// What is wrong, as a fragment that reads after the field.
    pub message: String,
    /// What would be acceptable.
    pub next: String,
}

impl FieldError {
    pub(crate) fn new(
        field: impl Into<String>,
        message: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
            next: next.into(),
        }
    }
}

impl Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.field, self.message, self.next)
    }
}

const TITLE_LENGTH: usize = 120;
const SHELL_ARGUMENTS: usize = 16;
const SHELL_ARGUMENT_LENGTH: usize = 1024;
const EGRESS_ENTRIES: usize = 32;
/// 65534 is nobody and 65535 an error value; both are shared, so neither is a candidate.
const IDS: RangeInclusive<u64> = 1..=65_533;
const CPU_MILLIS: RangeInclusive<u64> = 50..=64_000;
/// Below 32 MiB a shell with an editor does not start.
const MEMORY_MIB: RangeInclusive<u64> = 32..=262_144;
/// A quarter of the limit per user, which all environments of one machine share.
const PIDS: RangeInclusive<u64> = 16..=4_096;
const SCRATCH_MIB: RangeInclusive<u64> = 4..=1_048_576;
/// A week; what runs longer is not one exam.
const SECONDS: RangeInclusive<u64> = 1..=604_800;
/// Under 5 s a busy machine cannot make it; over 10 min the candidate has given up.
const STARTUP_SECONDS: RangeInclusive<u64> = 5..=600;

/// Under a minute a candidate who reloads the page would be late; the longest exam is a week.
const NO_SHOW_SECONDS: RangeInclusive<u64> = 60..=604_800;

pub(crate) fn validate(exam: &ExamDefinition) -> Vec<FieldError> {
    let mut errors = Vec::new();
    names(exam, &mut errors);
    shell(&exam.shell, &mut errors);
    user(exam, &mut errors);
    limits(exam, &mut errors);
    egress(&exam.egress, &mut errors);
    clock(exam, &mut errors);
    recording(exam, &mut errors);
    errors
}

fn names(exam: &ExamDefinition, errors: &mut Vec<FieldError>) {
    if !is_label(&exam.name) {
        let next = "give 1–63 of a–z, 0–9 and -, beginning and ending with a letter or digit";
        errors.push(FieldError::new("name", text_fault(&exam.name, 63), next));
    }
    let title = exam.title.chars().count();
    if exam.title.trim().is_empty()
        || title > TITLE_LENGTH
        || exam.title.chars().any(char::is_control)
    {
        let next = "give 1–120 characters without control characters";
        errors.push(FieldError::new(
            "title",
            text_fault(&exam.title, TITLE_LENGTH),
            next,
        ));
    }
    if let Some(fault) = image::fault(&exam.image) {
        let next = "give [registry/]name:tag with a tag other than latest, or name@sha256:digest";
        errors.push(FieldError::new("image", fault, next));
    }
    if let Some(class) = exam
        .runtime_class
        .as_deref()
        .filter(|class| !is_label(class))
    {
        let next = "give the name of a RuntimeClass, or leave it out";
        errors.push(FieldError::new(
            "runtime_class",
            text_fault(class, 63),
            next,
        ));
    }
}

fn shell(shell: &[String], errors: &mut Vec<FieldError>) {
    let next = "give 1–16 arguments, the first an absolute path, such as [\"/bin/bash\", \"-l\"]";
    if shell.is_empty() || shell.len() > SHELL_ARGUMENTS {
        errors.push(FieldError::new(
            "shell",
            format!("has {} arguments", shell.len()),
            next,
        ));
    }
    if shell
        .first()
        .is_some_and(|program| !program.starts_with('/') || program.ends_with('/'))
    {
        errors.push(FieldError::new(
            "shell[0]",
            "is not the absolute path of a program",
            next,
        ));
    }
    for (index, argument) in shell.iter().enumerate() {
        let field = format!("shell[{index}]");
        let seen = errors.iter().any(|error| error.field == field);
        if !seen
            && (argument.is_empty()
                || argument.len() > SHELL_ARGUMENT_LENGTH
                || argument.chars().any(char::is_control))
        {
            errors.push(FieldError::new(
                field,
                text_fault(argument, SHELL_ARGUMENT_LENGTH),
                next,
            ));
        }
    }
}

fn user(exam: &ExamDefinition, errors: &mut Vec<FieldError>) {
    range(
        "user.uid",
        exam.user.uid.into(),
        IDS,
        "nobody runs as root",
        errors,
    );
    range(
        "user.gid",
        exam.user.gid.into(),
        IDS,
        "nobody runs as root",
        errors,
    );
    if !is_login_name(&exam.user.name) {
        let next = "give 1–32 of a–z, 0–9, _ and -, beginning with a letter or _";
        errors.push(FieldError::new(
            "user.name",
            text_fault(&exam.user.name, 32),
            next,
        ));
    }
    if let Some(fault) = paths::fault(&exam.workdir) {
        let next = "give an absolute directory of the candidate's own, such as /home/candidate";
        errors.push(FieldError::new("workdir", fault, next));
    }
}

fn limits(exam: &ExamDefinition, errors: &mut Vec<FieldError>) {
    let limits = &exam.limits;
    range(
        "limits.cpu_millis",
        limits.cpu_millis.into(),
        CPU_MILLIS,
        "thousandths of a processor",
        errors,
    );
    range(
        "limits.memory_mib",
        limits.memory_mib.into(),
        MEMORY_MIB,
        "mebibytes",
        errors,
    );
    range(
        "limits.pids",
        limits.pids.into(),
        PIDS,
        "processes and threads",
        errors,
    );
    range(
        "limits.scratch_mib",
        limits.scratch_mib.into(),
        SCRATCH_MIB,
        "mebibytes",
        errors,
    );
}

fn egress(egress: &[String], errors: &mut Vec<FieldError>) {
    if egress.len() > EGRESS_ENTRIES {
        let message = format!("has {} destinations", egress.len());
        errors.push(FieldError::new(
            "egress",
            message,
            "give at most 32 destinations",
        ));
    }
    for (index, destination) in egress.iter().enumerate() {
        if !is_destination(destination) {
            let next = "give host:port, such as packages.example:443";
            errors.push(FieldError::new(
                format!("egress[{index}]"),
                "is not host:port",
                next,
            ));
        }
    }
}

fn clock(exam: &ExamDefinition, errors: &mut Vec<FieldError>) {
    range(
        "absolute_cap_seconds",
        exam.absolute_cap_seconds,
        SECONDS,
        "seconds",
        errors,
    );
    range(
        "startup_budget_seconds",
        exam.startup_budget_seconds,
        STARTUP_SECONDS,
        "seconds",
        errors,
    );
    no_show(exam, errors);
    match exam.clock {
        ClockPolicy::FromFirstAttach { duration_seconds } => {
            range(
                "clock.duration_seconds",
                duration_seconds,
                SECONDS,
                "seconds",
                errors,
            );
            let cap = exam.absolute_cap_seconds;
            if SECONDS.contains(&duration_seconds)
                && SECONDS.contains(&cap)
                && duration_seconds > cap
            {
                let message = format!("is {duration_seconds}, above absolute_cap_seconds");
                errors.push(FieldError::new(
                    "clock.duration_seconds",
                    message,
                    "raise absolute_cap_seconds",
                ));
            }
        }
        ClockPolicy::Window { starts_at, ends_at } => {
            if starts_at.is_some_and(|starts_at| starts_at >= ends_at) {
                let message = "is not after clock.starts_at";
                errors.push(FieldError::new(
                    "clock.ends_at",
                    message,
                    "give a later moment",
                ));
            }
        }
    }
}

fn no_show(exam: &ExamDefinition, errors: &mut Vec<FieldError>) {
    let Some(seconds) = exam.no_show_after_seconds else {
        return;
    };
    let (field, cap) = ("no_show_after_seconds", exam.absolute_cap_seconds);
    range(field, seconds, NO_SHOW_SECONDS, "seconds", errors);
    if NO_SHOW_SECONDS.contains(&seconds) && SECONDS.contains(&cap) && seconds >= cap {
        let message = format!("is {seconds}, not below absolute_cap_seconds");
        let next = "give less, or leave it out: then it ends as a no-show at its end";
        errors.push(FieldError::new(field, message, next));
    }
}

fn recording(exam: &ExamDefinition, errors: &mut Vec<FieldError>) {
    if exam.record_input && exam.recording == Recording::Off {
        errors.push(FieldError::new(
            "record_input",
            "asks for what is typed although recording is off",
            "give false, or a recording of \"fail_open\" or \"fail_closed\"",
        ));
    }
}

fn range(
    field: &str,
    value: u64,
    allowed: RangeInclusive<u64>,
    unit: &str,
    errors: &mut Vec<FieldError>,
) {
    if !allowed.contains(&value) {
        let next = format!("give {}–{} ({unit})", allowed.start(), allowed.end());
        errors.push(FieldError::new(field, format!("is {value}"), next));
    }
}
