//! What each runtime cannot give to an exam that asks for it.

use super::{ExamDefinition, FieldError};
use crate::RuntimeKind;

pub(crate) fn unsupported(exam: &ExamDefinition, runtime: RuntimeKind) -> Vec<FieldError> {
    match runtime {
        RuntimeKind::Engine => unsupported_on_engine(exam),
        RuntimeKind::Kubernetes => Vec::new(),
    }
}

/// An engine knows "all networks" and "none", and its scratch volumes live in memory.
fn unsupported_on_engine(exam: &ExamDefinition) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !exam.egress.is_empty() {
        let message = "asks for a network, which a container engine cannot filter";
        errors.push(FieldError::new("egress", message, "leave it empty"));
    }
    if exam.runtime_class.is_some() {
        let message = "names a RuntimeClass, which a container engine does not have";
        errors.push(FieldError::new("runtime_class", message, "leave it out"));
    }
    if exam.user_namespaces {
        let message = "asks for a user namespace, which the engine's API cannot promise";
        errors.push(FieldError::new("user_namespaces", message, "give false"));
    }
    if exam.limits.scratch_mib >= exam.limits.memory_mib {
        let message = "is not below limits.memory_mib, which scratch volumes of a container engine count against";
        errors.push(FieldError::new(
            "limits.scratch_mib",
            message,
            "give less, or more memory",
        ));
    }
    errors
}
