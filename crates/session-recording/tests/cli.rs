//! Help and usage errors, word for word. What needs a database is tested elsewhere.

#[test]
fn the_command_line_keeps_its_contract() {
    trycmd::TestCases::new()
        .case("tests/cli/*.trycmd")
        .case("README.md");
}
