//! Keys that an issuer shows over HTTP: rotated, taken away, guarded against whoever asks.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod issuer;

use std::sync::Arc;
use std::time::Duration;

use environment_access::{FetchPace, TokenError, TokenVerifier};
use issuer::{Issuer, Reply, claims, keys, token, until};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tokio::task::JoinSet;

const NEVER: Duration = Duration::from_hours(24);
const SOON: Duration = Duration::from_millis(20);
/// Longer than any answer on loopback takes, and short enough to wait for once.
const WITHIN: Duration = Duration::from_secs(2);

/// Fetched once, and again for each unknown key.
const ON_DEMAND: FetchPace = FetchPace {
    every: NEVER,
    at_most_every: Duration::ZERO,
    within: WITHIN,
};
/// Fetched again and again, whatever tokens say.
const BY_TIME: FetchPace = FetchPace {
    every: SOON,
    at_most_every: NEVER,
    within: WITHIN,
};

async fn has_keys(verifier: &TokenVerifier) {
    until(|| verifier.has_keys()).await;
}

async fn refusal(verifier: &TokenVerifier, token: &str) -> TokenError {
    verifier.verify_login(token).await.unwrap_err()
}

fn failures(verifier: &TokenVerifier) -> u32 {
    verifier.key_freshness().unwrap().failures
}

#[tokio::test]
async fn tokens_of_every_accepted_algorithm_are_verified_by_fetched_keys() {
    let issuer = Issuer::showing(&["ed-1", "ec-1", "rs-1"]);
    let verifier = issuer.verifier(ON_DEMAND);
    has_keys(&verifier).await;
    for kid in ["ed-1", "ec-1", "rs-1"] {
        let login = verifier.verify_login(&token(kid)).await.unwrap();
        assert_eq!(login.principal.user_id.as_str(), "u-1042");
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_rotated_key_is_accepted_at_its_first_token_and_the_old_one_no_longer() {
    let issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(ON_DEMAND);
    has_keys(&verifier).await;
    // Another name, and another algorithm than any key at hand has.
    for kid in ["ed-2", "ec-2"] {
        issuer.show(&[kid]);
        verifier.verify_login(&token(kid)).await.unwrap();
        let gone = refusal(&verifier, &token("ed-1")).await;
        let refused = ["token.unknown_key", "token.algorithm_not_accepted"];
        assert!(refused.contains(&gone.code()), "{gone}");
    }
}

#[tokio::test]
async fn a_rotated_key_comes_by_time_too() {
    let issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(BY_TIME);
    has_keys(&verifier).await;
    issuer.show(&["ed-2"]);
    until(|| verifier.verify(&token("ed-2")).is_ok()).await;
    assert!(verifier.verify(&token("ed-1")).is_err());
}

#[tokio::test]
async fn tokens_with_made_up_keys_do_not_reach_the_issuer() {
    let issuer = Issuer::showing(&["ed-1"]);
    let pace = FetchPace {
        at_most_every: NEVER,
        ..ON_DEMAND
    };
    let verifier = issuer.verifier(pace);
    has_keys(&verifier).await;
    issuer.show(&["ed-1", "ed-2"]);
    // The issuer has just said which keys it has, so that nobody is told to come back.
    for number in 0..200 {
        let error = refusal(&verifier, &token(&format!("ed-x{number}"))).await;
        assert_eq!(error.code(), "token.unknown_key");
    }
    assert_eq!(issuer.asked(), 1);
    verifier.verify_login(&token("ed-1")).await.unwrap();
}

#[tokio::test]
async fn tokens_that_come_together_share_one_fetch() {
    let issuer = Issuer::showing(&["ed-1"]);
    let pace = FetchPace {
        at_most_every: Duration::from_millis(300),
        ..ON_DEMAND
    };
    let verifier = issuer.verifier(pace);
    has_keys(&verifier).await;
    tokio::time::sleep(pace.at_most_every).await;
    let mut many = JoinSet::new();
    for number in 0..100 {
        let verifier = verifier.clone();
        many.spawn(async move { refusal(&verifier, &token(&format!("ed-x{number}"))).await });
    }
    // The answer takes so long that all of them wait for it, and longer than the pace asks for.
    issuer.reply_once(Reply::Stalled);
    let refused = many.join_all().await;
    assert!(
        refused
            .iter()
            .all(|error| *error == TokenError::KeysUnavailable)
    );
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn a_token_of_a_new_key_is_told_to_come_back_while_the_issuer_does_not_answer() {
    let mut issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(ON_DEMAND);
    has_keys(&verifier).await;
    issuer.show(&["ed-1", "ed-2"]);
    issuer.die().await;
    for kid in ["ed-2", "ec-2"] {
        let error = refusal(&verifier, &token(kid)).await;
        assert_eq!(error, TokenError::KeysUnavailable);
    }
    verifier.verify_login(&token("ed-1")).await.unwrap();
    issuer.rise();
    verifier.verify_login(&token("ed-2")).await.unwrap();
    let unknown = refusal(&verifier, &token("ed-3")).await;
    assert_eq!(
        unknown.code(),
        "token.unknown_key",
        "the issuer has said so"
    );
}

#[tokio::test]
async fn between_two_fetches_an_unknown_key_is_in_doubt_only_after_one_that_failed() {
    let mut issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(BY_TIME);
    has_keys(&verifier).await;
    issuer.die().await;
    until(|| failures(&verifier) > 0).await;
    let in_doubt = refusal(&verifier, &token("ed-2")).await;
    assert_eq!(in_doubt, TokenError::KeysUnavailable);
    verifier.verify_login(&token("ed-1")).await.unwrap();
    issuer.rise();
    until(|| failures(&verifier) == 0).await;
    let unknown = refusal(&verifier, &token("ed-2")).await;
    assert_eq!(unknown.code(), "token.unknown_key");
}

#[tokio::test]
async fn a_document_without_keys_takes_all_of_them_back() {
    let issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(BY_TIME);
    has_keys(&verifier).await;
    issuer.reply(Reply::Whole("200 OK\r\n", r#"{"keys":[]}"#.to_owned()));
    until(|| !verifier.has_keys()).await;
    assert!(verifier.verify(&token("ed-1")).is_err());
    let refused = refusal(&verifier, &token("ed-1")).await;
    assert_ne!(refused, TokenError::KeysUnavailable, "nobody comes back");
    // No restart would mend it, and every replica knows the same.
    assert_eq!(verifier.why_not_ready(), None);
    assert_eq!(failures(&verifier), 0);
    issuer.show(&["ed-1"]);
    until(|| verifier.verify(&token("ed-1")).is_ok()).await;
    assert!(verifier.has_keys());
}

#[tokio::test]
async fn who_waits_for_a_key_is_let_go_when_nobody_fetches_any_more() {
    let issuer = Issuer::showing(&["ed-1"]);
    // Far longer than this test may take.
    let patient = FetchPace {
        within: NEVER,
        ..ON_DEMAND
    };
    let verifier = Arc::new(TokenVerifier::new(&issuer.config(patient)).unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let kept = Arc::clone(&verifier);
    let keeper = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap() };
        kept.keep_keys_fresh_until(stopped).await;
    });
    has_keys(&verifier).await;
    issuer.reply(Reply::Stalled);
    let waiter = Arc::clone(&verifier);
    let waits = tokio::spawn(async move { refusal(&waiter, &token("ed-2")).await });
    until(|| issuer.asked() == 2).await;
    stop.send(()).unwrap();
    keeper.await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(30), waits).await;
    assert_eq!(told.unwrap().unwrap(), TokenError::KeysUnavailable);
    let later = refusal(&verifier, &token("ed-2")).await;
    assert_eq!(later, TokenError::KeysUnavailable);
}

#[tokio::test]
async fn tokens_that_wait_for_a_fetch_by_time_leave_no_other_behind() {
    let issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(ON_DEMAND);
    has_keys(&verifier).await;
    let mut many = JoinSet::new();
    for number in 0..50 {
        let verifier = verifier.clone();
        many.spawn(async move { refusal(&verifier, &token(&format!("ed-x{number}"))).await });
    }
    many.join_all().await;
    let asked = issuer.asked();
    // A good token makes one fetch, and none is left over from those before it.
    issuer.show(&["ed-1", "ed-2"]);
    verifier.verify_login(&token("ed-2")).await.unwrap();
    assert_eq!(issuer.asked(), asked + 1);
}

#[tokio::test]
async fn a_token_that_no_public_key_could_sign_has_nothing_fetched() {
    let issuer = Issuer::showing(&["ed-1"]);
    let verifier = issuer.verifier(ON_DEMAND);
    has_keys(&verifier).await;
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("hs-1".to_owned());
    let shared = EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
    let symmetric = encode(&header, &claims(), &shared).unwrap();
    let error = refusal(&verifier, &symmetric).await;
    assert_eq!(error.code(), "token.algorithm_not_accepted");
    // A known name under a signature that is not its key's is no reason either.
    let signed = token("ed-1");
    let (head, _) = signed.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(86));
    assert_eq!(
        refusal(&verifier, &forged).await,
        TokenError::SignatureInvalid
    );
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn the_last_good_keys_outlive_every_kind_of_outage() {
    let mut issuer = Issuer::showing(&["ed-1"]);
    let pace = FetchPace {
        within: Duration::from_millis(250),
        ..BY_TIME
    };
    let verifier = issuer.verifier(pace);
    has_keys(&verifier).await;
    let secret = json!({"keys": [{"kty": "oct", "use": "sig", "alg": "HS256", "k": "AAAA"}]});
    let Reply::Whole(_, other) = keys(&["ed-2"]) else {
        unreachable!()
    };
    for outage in [
        Reply::Whole("500 Internal Server Error\r\n", other.clone()),
        Reply::Whole("404 Not Found\r\n", other.clone()),
        Reply::Whole("204 No Content\r\n", String::new()),
        Reply::Whole("302 Found\r\nlocation: /jwks\r\n", other.clone()),
        Reply::Whole("200 OK\r\n", "<html>".to_owned()),
        Reply::Whole("200 OK\r\n", secret.to_string()),
        Reply::Whole("200 OK\r\n", format!("{}{other}", " ".repeat(256 * 1024))),
        keys(&["ed-2", "ec-2", "ed-2"]),
        Reply::Endless,
        Reply::Stalled,
    ] {
        issuer.reply(outage.clone());
        issuer.asked_again().await;
        assert!(failures(&verifier) > 0, "{outage:.80?}");
        verifier.verify_login(&token("ed-1")).await.unwrap();
        assert!(verifier.has_keys());
        issuer.show(&["ed-1"]);
        until(|| failures(&verifier) == 0).await;
    }
    issuer.die().await;
    until(|| failures(&verifier) >= 2).await;
    verifier.verify_login(&token("ed-1")).await.unwrap();
    issuer.show(&["ed-2"]);
    issuer.rise();
    until(|| verifier.verify(&token("ed-2")).is_ok()).await;
    assert_eq!(failures(&verifier), 0);
}

#[tokio::test]
async fn without_a_first_fetch_tokens_are_refused_for_that_until_the_issuer_answers() {
    let mut issuer = Issuer::showing(&["ed-1"]);
    issuer.die().await;
    let verifier = issuer.verifier(BY_TIME);
    until(|| failures(&verifier) > 0).await;
    assert!(!verifier.has_keys());
    let why = verifier.why_not_ready().unwrap();
    assert!(why.contains("--token-jwks-url"), "{why}");
    assert_eq!(verifier.key_freshness().unwrap().age, None);
    assert_eq!(
        refusal(&verifier, &token("ed-1")).await,
        TokenError::KeysUnavailable
    );
    assert_eq!(refusal(&verifier, "").await, TokenError::Missing);
    issuer.rise();
    until(|| verifier.verify(&token("ed-1")).is_ok()).await;
    assert!(verifier.key_freshness().unwrap().age.is_some());
}
