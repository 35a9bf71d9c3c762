//! Logins, good and bad.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use environment_access::{TokenRequest, issue_token};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use session_identity::{Role, UserId};

/// Keys the development tokens of these tests.
pub(crate) const SECRET: &str = "a secret of these tests, long enough to key SHA-256";

/// Makes a token that the API accepts for ten minutes.
pub(crate) fn valid(user: &str, role: Role) -> String {
    let request = TokenRequest {
        user_id: UserId::parse(user).expect("a user id"),
        role,
        lifetime: Duration::from_mins(10),
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    };
    let issued = issue_token(&request, &SECRET.into()).expect("a token");
    issued.token.expose_secret().to_owned()
}

/// Returns claims that are good until one of them is changed.
pub(crate) fn claims() -> Value {
    json!({
        "sub": "u-1", "role": "candidate", "iss": "exam-platform", "aud": "carrel",
        "exp": now() + 600, "iat": now(), "jti": "login-1",
    })
}

/// Signs claims with a secret of choice.
pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(Algorithm::HS256), claims, &key).expect("a token")
}

/// Changes one claim, or removes it when the value is null, and signs the rest well.
pub(crate) fn with(claim: &str, value: Value) -> String {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().expect("an object").remove(claim);
    } else {
        claims[claim] = value;
    }
    signed(&claims, SECRET)
}

/// Makes a token whose header says that it needs no signature.
pub(crate) fn unsigned(algorithm: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.",
        part(&json!({"alg": algorithm, "typ": "JWT"})),
        part(&claims())
    )
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

/// Every kind of token that nobody may be admitted with.
pub(crate) fn bad() -> Vec<(&'static str, String)> {
    let good = valid("u-1", Role::Candidate);
    let (head, _) = good.rsplit_once('.').expect("three parts");
    vec![
        ("empty", String::new()),
        ("not a token", "nonsense".to_owned()),
        ("two parts", head.to_owned()),
        ("no signature", format!("{head}.")),
        ("another signature", format!("{head}.{}", "A".repeat(43))),
        ("expired", with("exp", json!(now() - 60))),
        ("not yet valid", with("nbf", json!(now() + 600))),
        (
            "wrong key",
            signed(
                &claims(),
                "another secret, just as long as the right one is",
            ),
        ),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg of a public key", unsigned("RS256")),
        ("wrong audience", with("aud", json!("other"))),
        ("no audience", with("aud", Value::Null)),
        ("wrong issuer", with("iss", json!("other"))),
        ("no expiry", with("exp", Value::Null)),
        ("no subject", with("sub", Value::Null)),
        ("subject of the wrong alphabet", with("sub", json!("u 1"))),
        ("subject too long", with("sub", json!("u".repeat(129)))),
        ("no role", with("role", Value::Null)),
        ("unknown role", with("role", json!("root"))),
        ("too long", format!("{good}{}", "A".repeat(9000))),
    ]
}
