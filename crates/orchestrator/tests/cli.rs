//! Help of every level and what a wrong call is told, word for word.

/// Help shows the values of some variables; here they are always empty.
#[test]
fn every_level_explains_itself() {
    trycmd::TestCases::new()
        .env("CARREL_ACTOR", "")
        .case("tests/cli/help.trycmd");
}

#[test]
fn every_wrong_call_is_told_which_argument_and_where_to_read_on() {
    trycmd::TestCases::new()
        .case("tests/cli/usage.trycmd")
        .case("README.md");
}
