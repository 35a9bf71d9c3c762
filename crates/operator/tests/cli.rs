//! Help of every level and what a wrong call is told, word for word.

/// Variables whose values help would show.
const SHOWN: [&str; 6] = [
    "CARREL_ACTOR",
    "CARREL_COMPLETION_BUDGET",
    "CARREL_KEEPER",
    "CARREL_KEEPER_IMAGE",
    "DOCKER_HOST",
    "KUBECONFIG",
];

#[test]
fn every_level_explains_itself() {
    let cases = trycmd::TestCases::new();
    for name in SHOWN {
        cases.env(name, "");
    }
    cases.case("tests/cli/help/*.trycmd");
}

#[test]
fn every_wrong_call_is_told_which_argument_and_where_to_read_on() {
    trycmd::TestCases::new().case("tests/cli/usage.trycmd");
}
