//! Numbers of things, as people write them.

use std::fmt::Display;

/// Writes a number of things, such as `1 session` or `20 sessions`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, thing: &str) -> String {
    let ending = if count == N::from(1) { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_more_than_one() {
        assert_eq!(counted(0_usize, "live session"), "0 live sessions");
        assert_eq!(counted(1_i64, "live session"), "1 live session");
        assert_eq!(counted(20_u64, "live session"), "20 live sessions");
    }
}
