//! What every runtime puts around the shell.

use crate::ExamDefinition;

/// The variables a login would set.
pub(crate) fn variables(exam: &ExamDefinition) -> [(&'static str, String); 5] {
    [
        ("HOME", exam.workdir.clone()),
        ("USER", exam.user.name.clone()),
        ("LOGNAME", exam.user.name.clone()),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "xterm-256color".to_owned()),
    ]
}
