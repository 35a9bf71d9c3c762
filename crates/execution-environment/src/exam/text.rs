//! Shapes of short texts.

/// Says what is wrong with a text that was not accepted.
pub(super) fn text_fault(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if text.is_empty() {
        "is empty".to_owned()
    } else if length > longest {
        format!("has {length} characters, at most {longest} are allowed")
    } else {
        "has an illegal character or shape".to_owned()
    }
}

pub(super) fn is_label(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 63
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || c == '-')
}

pub(super) fn is_login_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

pub(super) fn is_destination(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && host.len() <= 253
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}
