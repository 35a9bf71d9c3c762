//! The command line as documented and as misused.

#[cfg(feature = "cli")]
#[test]
fn documented_and_misused_commands_answer_as_written() {
    trycmd::TestCases::new()
        .case("README.md")
        .case("tests/cli/*.trycmd");
}
