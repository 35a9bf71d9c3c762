//! How much of what a runtime says is kept as evidence.

/// What a runtime says may be long.
const MESSAGE_LENGTH: usize = 1024;

/// Cuts a message to what is worth storing.
pub(crate) fn bounded(message: &str) -> String {
    message.chars().take(MESSAGE_LENGTH).collect()
}
