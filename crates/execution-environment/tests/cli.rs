//! What the README shows that needs neither database nor runtime, word for word.

#[test]
fn the_readme_tells_what_the_command_line_says() {
    trycmd::TestCases::new().case("README.md");
}
