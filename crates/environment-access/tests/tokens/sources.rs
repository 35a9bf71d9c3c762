//! Where the keys come from, as the command line names it.

use std::path::PathBuf;

use environment_access::{KeyError, KeySource, TokenArgs, TokenConfig};
use secrecy::SecretString;

use crate::SECRET;

#[test]
fn exactly_one_source_of_keys_is_given() {
    let args = |keys: Option<&str>, url: Option<&str>, secret: Option<&str>| TokenArgs {
        keys: keys.map(PathBuf::from),
        jwks_url: url.map(SecretString::from),
        jwks_ca_file: None,
        jwks_refresh_seconds: 300,
        development_secret: secret.map(SecretString::from),
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    };
    let made = |keys, url, secret| TokenConfig::try_from(args(keys, url, secret));
    let (file, url, secret) = (Some("k"), Some("https://exam.example/jwks"), Some(SECRET));
    assert!(matches!(
        made(file, None, None).unwrap().keys,
        KeySource::File(_)
    ));
    assert!(matches!(
        made(None, url, None).unwrap().keys,
        KeySource::Jwks { .. }
    ));
    assert!(made(None, None, secret).is_ok());
    let none = made(None, None, None).unwrap_err().to_string();
    assert!(
        none.contains("--token-keys") && none.contains("--token-jwks-url"),
        "{none}"
    );
    for (several, flags) in [
        (made(file, url, None), "--token-keys and --token-jwks-url"),
        (
            made(file, None, secret),
            "--token-keys and --token-hs256-secret",
        ),
        (
            made(None, url, secret),
            "--token-jwks-url and --token-hs256-secret",
        ),
    ] {
        let several = several.unwrap_err().to_string();
        assert!(
            several.contains(flags) && !several.contains(SECRET),
            "{several}"
        );
    }
}

#[test]
fn an_address_is_refused_without_being_repeated_and_authorities_need_one() {
    let args = |url: Option<&str>| TokenArgs {
        keys: None,
        jwks_url: url.map(SecretString::from),
        jwks_ca_file: Some(PathBuf::from("authority.pem")),
        jwks_refresh_seconds: 300,
        development_secret: url.is_none().then(|| SecretString::from(SECRET)),
        issuer: "exam-platform".to_owned(),
        audience: "carrel".to_owned(),
    };
    let with_user = args(Some("https://dana:c4n4ry@exam.example/jwks"));
    let shown = format!("{with_user:?}");
    let refused = TokenConfig::try_from(with_user).unwrap_err();
    assert!(
        refused.to_string().contains("--token-jwks-url"),
        "{refused}"
    );
    for text in [shown, format!("{refused:?} {refused}")] {
        assert!(!text.contains("c4n4ry") && !text.contains("dana"), "{text}");
    }
    let refused = TokenConfig::try_from(args(None)).unwrap_err();
    assert!(matches!(refused, KeyError::AuthoritiesWithoutUrl));
}
