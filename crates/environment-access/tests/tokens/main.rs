//! Login tokens: every accepted algorithm, and every way to be refused.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod sources;

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use environment_access::{
    KeyError, KeySource, MintError, TokenConfig, TokenError, TokenRequest, TokenVerifier,
    issue_token,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use session_identity::{Role, UserId};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn key_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name)
}

fn key_text(name: &str) -> Vec<u8> {
    std::fs::read(key_path(name)).unwrap()
}

fn config(keys: KeySource) -> TokenConfig {
    TokenConfig {
        keys,
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    }
}

fn verifier(file: &str) -> TokenVerifier {
    TokenVerifier::new(&config(KeySource::File(key_path(file)))).unwrap()
}

fn development() -> TokenVerifier {
    TokenVerifier::new(&TokenConfig::development(SecretString::from(SECRET))).unwrap()
}

fn ed25519() -> EncodingKey {
    EncodingKey::from_ed_pem(&key_text("ed25519.private.pem")).unwrap()
}

fn claims() -> Value {
    json!({
        "sub": "u-1042", "role": "candidate", "aud": "carrel", "iss": "exam-platform",
        "exp": get_current_timestamp() + 60, "jti": "login-1",
    })
}

fn claims_with(field: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[field] = value;
    claims
}

fn claims_without(field: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(field);
    claims
}

fn sign(algorithm: Algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(ToOwned::to_owned);
    encode(&header, claims, key).unwrap()
}

fn refusal(claims: &Value) -> TokenError {
    let token = sign(Algorithm::EdDSA, None, claims, &ed25519());
    verifier("ed25519.public.pem").verify(&token).unwrap_err()
}

#[test]
fn every_public_key_algorithm_is_verified_from_pem_and_jwks() {
    let signers = [
        (Algorithm::EdDSA, "ed-1", "ed25519.public.pem", ed25519()),
        (
            Algorithm::ES256,
            "ec-1",
            "p256.public.pem",
            EncodingKey::from_ec_pem(&key_text("p256.private.pem")).unwrap(),
        ),
        (
            Algorithm::RS256,
            "rsa-1",
            "rsa.public.pem",
            EncodingKey::from_rsa_pem(&key_text("rsa.private.pem")).unwrap(),
        ),
    ];
    for (algorithm, kid, pem, key) in signers {
        let token = sign(algorithm, Some(kid), &claims(), &key);
        for file in [pem, "keys.jwks.json"] {
            let principal = verifier(file).verify(&token).unwrap();
            assert_eq!(principal.user_id.as_str(), "u-1042");
            assert_eq!(principal.role, Role::Candidate);
            assert_eq!(principal.login_id.as_str(), "login-1");
        }
        let unnamed = sign(algorithm, None, &claims(), &key);
        verifier("keys.jwks.json").verify(&unnamed).unwrap();
    }
}

#[test]
fn several_pem_blocks_in_one_file_are_all_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.pem");
    let both = [key_text("p256.public.pem"), key_text("ed25519.public.pem")].concat();
    std::fs::write(&path, both).unwrap();
    let verifier = TokenVerifier::new(&config(KeySource::File(path))).unwrap();
    verifier
        .verify(&sign(Algorithm::EdDSA, None, &claims(), &ed25519()))
        .unwrap();
}

#[test]
fn a_list_of_audiences_that_holds_ours_is_accepted() {
    let token = sign(
        Algorithm::EdDSA,
        None,
        &claims_with("aud", json!(["other", "carrel"])),
        &ed25519(),
    );
    verifier("ed25519.public.pem").verify(&token).unwrap();
}

#[test]
fn a_login_without_a_name_is_named_by_its_token() {
    let token = sign(Algorithm::EdDSA, None, &claims_without("jti"), &ed25519());
    let verifier = verifier("ed25519.public.pem");
    let first = verifier.verify(&token).unwrap().login_id;
    assert_eq!(first.as_str().len(), 64);
    assert_eq!(first, verifier.verify(&token).unwrap().login_id);
    let other = sign(
        Algorithm::EdDSA,
        None,
        &{
            let mut claims = claims_without("jti");
            claims["sub"] = json!("u-2");
            claims
        },
        &ed25519(),
    );
    assert_ne!(first, verifier.verify(&other).unwrap().login_id);
}

#[tokio::test]
async fn a_login_says_how_long_it_lasts() {
    let token = sign(Algorithm::EdDSA, None, &claims(), &ed25519());
    let verifier = verifier("ed25519.public.pem");
    let login = verifier.verify_login(&token).await.unwrap();
    assert!(
        (30..=60).contains(&login.expires_in.as_secs()),
        "{:?}",
        login.expires_in
    );
}

#[test]
fn a_token_without_signature_is_refused_whatever_its_case() {
    for algorithm in ["none", "None", "NONE"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm }).to_string());
        let body = URL_SAFE_NO_PAD.encode(claims().to_string());
        for token in [format!("{header}.{body}."), format!("{header}.{body}.AAAA")] {
            let error = verifier("ed25519.public.pem").verify(&token).unwrap_err();
            assert_eq!(error, TokenError::AlgorithmNone);
            assert_eq!(
                development().verify(&token).unwrap_err(),
                TokenError::AlgorithmNone
            );
        }
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_secret() {
    let key = EncodingKey::from_secret(&key_text("rsa.public.pem"));
    let token = sign(Algorithm::HS256, None, &claims(), &key);
    let error = verifier("rsa.public.pem").verify(&token).unwrap_err();
    assert_eq!(
        error,
        TokenError::AlgorithmNotAccepted {
            algorithm: "HS256".to_owned()
        }
    );
}

#[test]
fn a_key_of_another_algorithm_is_not_tried() {
    let token = sign(Algorithm::EdDSA, None, &claims(), &ed25519());
    let error = verifier("p256.public.pem").verify(&token).unwrap_err();
    assert_eq!(
        error,
        TokenError::AlgorithmNotAccepted {
            algorithm: "EdDSA".to_owned()
        }
    );
}

#[test]
fn a_stranger_s_signature_is_refused() {
    let stranger = EncodingKey::from_ed_pem(&key_text("other-ed25519.private.pem")).unwrap();
    let token = sign(Algorithm::EdDSA, None, &claims(), &stranger);
    let error = verifier("ed25519.public.pem").verify(&token).unwrap_err();
    assert_eq!(error, TokenError::SignatureInvalid);
}

#[test]
fn a_key_that_is_not_here_is_named_in_the_refusal() {
    let token = sign(Algorithm::EdDSA, Some("ed-2"), &claims(), &ed25519());
    let error = verifier("keys.jwks.json").verify(&token).unwrap_err();
    assert_eq!(
        error,
        TokenError::UnknownKey {
            kid: "ed-2".to_owned()
        }
    );
}

#[test]
fn altered_claims_break_the_signature() {
    let token = sign(Algorithm::EdDSA, None, &claims(), &ed25519());
    let parts: Vec<_> = token.split('.').collect();
    let body = URL_SAFE_NO_PAD.encode(claims_with("sub", json!("u-9")).to_string());
    let forged = format!("{}.{body}.{}", parts[0], parts[2]);
    let error = verifier("ed25519.public.pem").verify(&forged).unwrap_err();
    assert_eq!(error, TokenError::SignatureInvalid);
}

#[test]
fn each_wrong_claim_has_its_own_refusal() {
    let now = get_current_timestamp();
    let missing = |claim: &str| TokenError::ClaimMissing {
        claim: claim.to_owned(),
    };
    let table = [
        (claims_with("exp", json!(now - 60)), TokenError::Expired),
        (claims_with("nbf", json!(now + 60)), TokenError::NotYetValid),
        (
            claims_with("iss", json!("somebody")),
            TokenError::WrongIssuer,
        ),
        (
            claims_with("aud", json!("somebody")),
            TokenError::WrongAudience,
        ),
        (
            claims_with("aud", json!(["somebody"])),
            TokenError::WrongAudience,
        ),
        (claims_with("aud", json!([])), TokenError::WrongAudience),
        (claims_without("role"), missing("role")),
        (
            claims_with("role", json!("root")),
            TokenError::UnknownRole {
                role: "root".to_owned(),
            },
        ),
        (
            claims_with("jti", json!("x".repeat(129))),
            TokenError::ClaimMalformed {
                claim: "jti".to_owned(),
            },
        ),
        (
            claims_with("jti", json!("a\0b")),
            TokenError::ClaimMalformed {
                claim: "jti".to_owned(),
            },
        ),
        (
            claims_with("jti", json!("")),
            TokenError::ClaimMalformed {
                claim: "jti".to_owned(),
            },
        ),
    ];
    for (claims, expected) in table {
        assert_eq!(refusal(&claims), expected, "{claims}");
    }
    assert_eq!(
        refusal(&claims_with("exp", json!("soon"))).code(),
        "token.malformed"
    );
    for claim in ["exp", "iss", "aud", "sub"] {
        let code = refusal(&claims_without(claim)).code();
        assert!(
            ["token.claim_missing", "token.malformed"].contains(&code),
            "{claim}: {code}"
        );
    }
}

#[test]
fn a_subject_that_is_no_user_is_refused() {
    for subject in ["", "a b", "u/1", "ü", &"x".repeat(129)] {
        let error = refusal(&claims_with("sub", json!(subject)));
        assert_eq!(error.code(), "token.user_id", "{subject:?}: {error}");
    }
}

#[test]
fn what_is_no_token_is_refused_without_being_quoted() {
    let verifier = verifier("ed25519.public.pem");
    assert_eq!(verifier.verify("").unwrap_err(), TokenError::Missing);
    let canary = "c4n4ry";
    let malformed = [
        canary.to_owned(),
        "..".to_owned(),
        format!("{canary}.{canary}"),
        format!("{canary}.{canary}.{canary}"),
        format!("{canary}.{canary}.{canary}.{canary}"),
        format!("e30.{canary}.{canary}\u{0}"),
        "x".repeat(9000),
        format!(
            "{}.e30.AA",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","crit":["b64"]}"#)
        ),
    ];
    for token in malformed {
        let error = verifier.verify(&token).unwrap_err();
        assert!(!error.to_string().contains(canary), "{error}");
        let refused = ["token.malformed", "token.algorithm_not_accepted"];
        assert!(refused.contains(&error.code()), "{token}: {error}");
    }
}

#[test]
fn a_header_cannot_smuggle_text_into_the_log() {
    let header = json!({ "alg": format!("x\n{}", "y".repeat(500)) }).to_string();
    let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
    let error = verifier("ed25519.public.pem")
        .verify(&token)
        .unwrap_err()
        .to_string();
    assert!(error.len() < 120 && !error.contains('\n'), "{error}");
}

#[test]
fn key_files_that_cannot_be_used_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        TokenVerifier::new(&config(KeySource::File(path))).unwrap_err()
    };
    let unusable = |error: KeyError| match error {
        KeyError::Unusable { detail, .. } => detail,
        other => panic!("{other}"),
    };
    assert!(matches!(write("empty", b""), KeyError::Empty { .. }));
    assert!(matches!(
        write("none.json", br#"{"keys":[]}"#),
        KeyError::Empty { .. }
    ));
    assert!(matches!(write("bad.json", b"{"), KeyError::Jwks { .. }));
    let private = write("private", &key_text("ed25519.private.pem"));
    assert!(unusable(private).contains("private key"));
    assert!(unusable(write("p384", &key_text("p384.public.pem"))).contains("P-256"));
    let short =
        json!({"keys": [{"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"}]});
    let short = write("short.json", short.to_string().as_bytes());
    assert!(unusable(short).contains("2048 bits"));
    let secret = br#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#;
    assert!(unusable(write("oct.json", secret)).contains("shared secret"));
    let cut = write("cut", b"-----BEGIN PUBLIC KEY-----\nAAAA\n");
    assert!(unusable(cut).contains("no RSA"));
    let absent = config(KeySource::File(folder.path().join("absent")));
    assert!(matches!(
        TokenVerifier::new(&absent).unwrap_err(),
        KeyError::Read { .. }
    ));
}

#[test]
fn a_short_development_secret_is_refused() {
    let error = TokenVerifier::new(&TokenConfig::development("short".into())).unwrap_err();
    assert!(matches!(error, KeyError::SecretTooShort { length: 5, .. }));
}

fn request(seconds: u64) -> TokenRequest {
    TokenRequest {
        user_id: UserId::parse("u-1042").unwrap(),
        role: Role::Operator,
        lifetime: Duration::from_secs(seconds),
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    }
}

#[test]
fn a_development_token_is_verified_with_its_secret_only() {
    let issued = issue_token(&request(60), &SECRET.into()).unwrap();
    let principal = development().verify(issued.token.expose_secret()).unwrap();
    assert_eq!(principal.role, Role::Operator);
    assert_eq!(principal.login_id, issued.login_id);
    let other = TokenConfig::development("another secret of at least 32 bytes".into());
    let other = TokenVerifier::new(&other).unwrap();
    let error = other.verify(issued.token.expose_secret()).unwrap_err();
    assert_eq!(error, TokenError::SignatureInvalid);
}

#[test]
fn a_development_token_has_a_bounded_life() {
    for seconds in [0, 7 * 24 * 3600 + 1] {
        let error = issue_token(&request(seconds), &SECRET.into()).unwrap_err();
        assert!(matches!(error, MintError::Lifetime { .. }), "{error}");
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let issued = issue_token(&request(60), &SECRET.into()).unwrap();
    let shown = format!(
        "{issued:?} {:?} {:?}",
        development(),
        TokenConfig::development(SECRET.into())
    );
    assert!(
        !shown.contains(SECRET) && !shown.contains(issued.token.expose_secret()),
        "{shown}"
    );
}
