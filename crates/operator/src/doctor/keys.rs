//! Whether logins can be verified, as the API and the terminal process would.

use environment_access::{KeyError, TokenArgs, TokenConfig, TokenVerifier};

use super::report::Check;

const NAME: &str = "token_keys";
const NEXT: &str = "place the exam platform's public keys where this setting says, or correct it; \
                    processes go on with the keys they fetched last";

/// Reads or fetches the keys once; `None` where nobody says where they are.
pub(super) async fn usable(tokens: TokenArgs) -> Option<Check> {
    let verifier = match TokenConfig::try_from(tokens) {
        Err(KeyError::NoneGiven) => return None,
        Err(error) => return Some(unusable(&error)),
        Ok(config) => TokenVerifier::new(&config),
    };
    let verifier = match verifier {
        Ok(verifier) => verifier,
        Err(error) => return Some(unusable(&error)),
    };
    Some(match verifier.count_keys().await {
        Ok(0) => Check::bad(
            NAME,
            "the issuer's document lists no key, so that every login is refused",
            NEXT,
        ),
        Ok(1) => Check::ok(NAME, "1 key is there and can be used"),
        Ok(keys) => Check::ok(NAME, format!("{keys} keys are there and can be used")),
        Err(why) => Check::bad(NAME, why, NEXT),
    })
}

fn unusable(error: &KeyError) -> Check {
    Check::bad(NAME, format!("failed to {error}"), NEXT)
}
