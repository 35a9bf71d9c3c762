//! The part of a token that is read before anything proves it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;

use super::TokenError;

/// Longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The parts of a token's header that choose the key.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: Option<String>,
    pub(super) kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl Header {
    /// Whether a key that was fetched could ever verify the token.
    pub(super) fn names_public_key_algorithm(&self) -> bool {
        let public = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];
        let named = self.alg.as_deref();
        public.into_iter().any(|it| named == Some(names(it)))
    }
}

/// Reads the header of a token that looks like one.
pub(super) fn read_header(token: &str) -> Result<Header, TokenError> {
    let malformed = |detail| TokenError::Malformed { detail };
    if token.is_empty() {
        return Err(TokenError::Missing);
    }
    if token.len() > LONGEST_TOKEN {
        return Err(malformed("it is longer than 8 KiB"));
    }
    if token.split('.').count() != 3 {
        return Err(malformed("it has not three parts"));
    }
    let (header, _) = token.split_once('.').expect("it has three parts");
    let header = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| malformed("its header is not base64"))?;
    let header: Header =
        serde_json::from_slice(&header).map_err(|_| malformed("its header is not JSON"))?;
    if header.crit.is_some() {
        return Err(malformed("it demands extensions that are not known here"));
    }
    Ok(header)
}

/// The name of an algorithm in a token's header.
pub(super) const fn names(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "HS256",
        Algorithm::ES256 => "ES256",
        Algorithm::RS256 => "RS256",
        Algorithm::EdDSA => "EdDSA",
        _ => "",
    }
}

/// Keeps what a stranger wrote short and printable before it goes into an error.
pub(super) fn shorten(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}
