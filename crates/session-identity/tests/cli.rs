//! The README's console blocks are the contract, and this runs them.

#[test]
fn the_readme_tells_the_truth() {
    trycmd::TestCases::new()
        .case("README.md")
        .case("tests/cli/*.trycmd");
}
