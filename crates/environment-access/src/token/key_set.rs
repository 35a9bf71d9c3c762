//! Reading a JWKS document that was fetched. Nobody looks at it before it counts, so it is read
//! more strictly than a file: what could be a mistake of the issuer refuses the whole document.

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::header::shorten;
use super::keys::{JwkFault, VerifyingKey, jwk_key};

/// Most keys a document may hold: a token without a `kid` is tried with each.
const MOST_KEYS: usize = 64;

/// Why a document cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum KeySetError {
    /// It is no JWKS document.
    #[error("read a JWKS document")]
    NotJwks(#[source] serde_json::Error),
    /// It holds more keys than are looked at.
    #[error("accept a JWKS document of {keys} keys: at most {MOST_KEYS} are read")]
    TooMany {
        /// How many it holds.
        keys: usize,
    },
    /// It holds a key that must not be there.
    #[error("accept key {position} of a JWKS document: {detail}")]
    Refused {
        /// Which, from 1.
        position: usize,
        /// Why.
        detail: &'static str,
    },
    /// Two of its keys have one name.
    #[error("tell two keys of a JWKS document apart: both have the kid {kid:?}")]
    DuplicateKid {
        /// The name, shortened.
        kid: String,
    },
    /// None of its keys verifies tokens.
    #[error(
        "find a key for tokens among {keys} of a JWKS document: it needs use sig and one of \
         EdDSA, ES256 and RS256"
    )]
    NoneUsable {
        /// How many it holds.
        keys: usize,
    },
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// Reads the keys that verify tokens, and passes over those for other uses and algorithms. None for a
/// document that lists none.
pub(super) fn parse_key_set(document: &[u8]) -> Result<Vec<VerifyingKey>, KeySetError> {
    let document: Document = serde_json::from_slice(document).map_err(KeySetError::NotJwks)?;
    let total = document.keys.len();
    if total > MOST_KEYS {
        return Err(KeySetError::TooMany { keys: total });
    }
    let mut keys: Vec<VerifyingKey> = Vec::new();
    for (index, jwk) in document.keys.into_iter().enumerate() {
        let position = index + 1;
        let refused = |detail| KeySetError::Refused { position, detail };
        let Some(key) = read_jwk(jwk).map_err(refused)? else {
            continue;
        };
        if let Some(kid) = &key.kid
            && keys.iter().any(|other| other.kid.as_ref() == Some(kid))
        {
            return Err(KeySetError::DuplicateKid { kid: shorten(kid) });
        }
        keys.push(key);
    }
    // A document without any key takes all of them back; one whose keys are all for something else is
    // a mistake.
    if keys.is_empty() && total > 0 {
        return Err(KeySetError::NoneUsable { keys: total });
    }
    Ok(keys)
}

/// Reads one key; nothing for one that does not sign, or in a way that is not accepted here.
fn read_jwk(jwk: Value) -> Result<Option<VerifyingKey>, &'static str> {
    if jwk["kty"] == "oct" {
        return Err(JwkFault::SharedSecret.detail());
    }
    if jwk.get("d").is_some() {
        return Err("it is a private key, and everybody can read it");
    }
    // New types of key appear in documents long before they are read here.
    let Ok(jwk) = serde_json::from_value::<Jwk>(jwk) else {
        return Ok(None);
    };
    if jwk.common.public_key_use != Some(PublicKeyUse::Signature) {
        return Ok(None);
    }
    match jwk_key(&jwk) {
        Ok(key) => Ok(Some(key)),
        Err(JwkFault::OtherKind | JwkFault::OtherAlgorithm) => Ok(None),
        Err(fault) => Err(fault.detail()),
    }
}

#[cfg(test)]
mod tests;
