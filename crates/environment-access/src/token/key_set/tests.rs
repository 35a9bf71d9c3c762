//! What a fetched document may hold, and what refuses it whole.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

/// The keys of the tests' own document: one of each accepted algorithm.
fn keys() -> Vec<Value> {
    let text = include_str!("../../../tests/keys/keys.jwks.json");
    let document: Value = serde_json::from_str(text).unwrap();
    document["keys"].as_array().unwrap().clone()
}

fn key(kid: &str) -> Value {
    let found = keys().into_iter().find(|key| key["kid"] == kid);
    found.unwrap()
}

fn with(kid: &str, field: &str, value: Value) -> Value {
    let mut key = key(kid);
    key[field] = value;
    key
}

fn parse(keys: &[Value]) -> Result<Vec<String>, KeySetError> {
    let document = json!({ "keys": keys }).to_string();
    let keys = parse_key_set(document.as_bytes())?;
    Ok(keys.into_iter().filter_map(|key| key.kid).collect())
}

fn refusal(keys: &[Value]) -> String {
    parse(keys).unwrap_err().to_string()
}

#[test]
fn a_key_of_each_accepted_algorithm_is_read() {
    assert_eq!(parse(&keys()).unwrap().len(), 3);
}

#[test]
fn keys_for_other_uses_and_algorithms_are_passed_over() {
    let others = [
        with("rsa-1", "use", json!("enc")),
        with("rsa-1", "use", json!("other")),
        with("rsa-1", "use", Value::Null),
        with("rsa-1", "alg", json!("RS512")),
        with("rsa-1", "alg", json!("PS256")),
        with("ec-1", "crv", json!("P-384")),
        with("ec-1", "crv", json!("secp256k1")),
        json!({"kty": "AKP", "use": "sig", "alg": "ML-DSA-65", "pub": "AAAA"}),
    ];
    for other in others {
        let read = parse(&[other.clone(), key("ed-1")]);
        assert_eq!(read.unwrap(), ["ed-1"], "{other}");
        let alone = refusal(&[other]);
        assert!(alone.contains("use sig"), "{alone}");
    }
}

#[test]
fn a_shared_secret_or_a_private_key_refuses_the_document() {
    let secret = json!({"kty": "oct", "k": "AAAA", "use": "sig", "alg": "HS256"});
    let refused = refusal(&[key("ed-1"), secret]);
    assert!(refused.contains("key 2") && refused.contains("shared secret"));
    let private = with("ed-1", "d", json!("AAAA"));
    assert!(refusal(&[private]).contains("private key"));
}

#[test]
fn two_keys_of_one_name_refuse_the_document() {
    let twin = with("ec-1", "kid", json!("ed-1"));
    let refused = refusal(&[key("ed-1"), twin]);
    assert!(refused.contains("\"ed-1\""), "{refused}");
}

#[test]
fn a_key_of_another_length_refuses_the_document() {
    let long = URL_SAFE_NO_PAD.encode([0xff; 1024]);
    for (kid, field, number) in [
        ("ed-1", "x", "AAAA"),
        ("ec-1", "x", "AAAA"),
        ("ec-1", "y", "AAAA"),
        ("rsa-1", "n", long.as_str()),
    ] {
        let refused = refusal(&[with(kid, field, json!(number))]);
        assert!(refused.contains("not a key"), "{kid} {field}: {refused}");
    }
}

#[test]
fn a_short_modulus_refuses_the_document() {
    // 1024 bits, and twice as many of which the upper half is zero.
    for n in [vec![0xff; 128], [[0; 128], [0xff; 128]].concat()] {
        let n = URL_SAFE_NO_PAD.encode(n);
        let refused = refusal(&[with("rsa-1", "n", json!(n))]);
        assert!(refused.contains("2048 bits"), "{refused}");
    }
}

#[test]
fn what_is_no_set_of_keys_is_refused() {
    for document in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#] {
        let error = parse_key_set(document.as_bytes()).unwrap_err();
        assert!(matches!(error, KeySetError::NotJwks(_)), "{document}");
    }
    assert_eq!(parse(&[]).unwrap(), [""; 0], "which takes all keys back");
    let many = vec![key("ed-1"); MOST_KEYS + 1];
    assert!(refusal(&many).contains("at most 64"));
}
