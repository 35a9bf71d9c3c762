//! Fifty sessions at once.
fn main() {}
