//! Reading verifying keys from a file.

use std::path::Path;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::KeyError;

/// An uncompressed point of P-256: a tag and two coordinates of 32 bytes.
const P256_POINT: usize = 65;
const END_OF_BLOCK: &str = "-----END ";

/// A key that can verify signatures of one algorithm.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    /// Name of the key, where its file gave one.
    pub(super) kid: Option<String>,
    /// The only algorithm it is used with, so that no token chooses another.
    pub(super) algorithm: Algorithm,
    /// The key itself.
    pub(super) key: DecodingKey,
}

/// Reads every key of a file of PEM blocks or of a JWKS document.
pub(super) fn read_keys(path: &Path) -> Result<Vec<VerifyingKey>, KeyError> {
    let text = std::fs::read_to_string(path).map_err(|source| KeyError::Read {
        path: path.to_owned(),
        source,
    })?;
    let keys = if text.trim_start().starts_with('{') {
        parse_jwks(path, &text)?
    } else {
        parse_pem(path, &text)?
    };
    if keys.is_empty() {
        return Err(KeyError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(keys)
}

fn parse_jwks(path: &Path, text: &str) -> Result<Vec<VerifyingKey>, KeyError> {
    let set: JwkSet = serde_json::from_str(text).map_err(|source| KeyError::Jwks {
        path: path.to_owned(),
        source,
    })?;
    set.keys
        .iter()
        .enumerate()
        .filter(|(_, jwk)| jwk.common.public_key_use != Some(PublicKeyUse::Encryption))
        .map(|(index, jwk)| jwk_key(jwk).map_err(|detail| unusable(path, index, detail)))
        .collect()
}

fn jwk_key(jwk: &Jwk) -> Result<VerifyingKey, &'static str> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        AlgorithmParameters::OctetKey(_) => return Err("it is a shared secret, not a public key"),
        _ => return Err("only RSA, P-256 and Ed25519 keys are accepted"),
    };
    let named = jwk.common.key_algorithm.map(|named| named.to_string());
    if named.is_some_and(|named| named != format!("{algorithm:?}")) {
        return Err("its alg is not RS256, ES256 or EdDSA");
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|_| "its numbers are not a key")?;
    Ok(VerifyingKey {
        kid: jwk.common.key_id.clone(),
        algorithm,
        key,
    })
}

fn parse_pem(path: &Path, text: &str) -> Result<Vec<VerifyingKey>, KeyError> {
    pem_blocks(text)
        .into_iter()
        .enumerate()
        .map(|(index, block)| pem_key(block).map_err(|detail| unusable(path, index, detail)))
        .collect()
}

/// Cuts a file into PEM blocks, each from its BEGIN line to the end of its END line.
fn pem_blocks(text: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        let block = &rest[begin..];
        let end = block.find(END_OF_BLOCK).map_or(block.len(), |at| {
            block[at..]
                .find('\n')
                .map_or(block.len(), |newline| at + newline + 1)
        });
        blocks.push(&block[..end]);
        rest = &block[end..];
    }
    blocks
}

fn pem_key(block: &str) -> Result<VerifyingKey, &'static str> {
    if block
        .lines()
        .next()
        .is_some_and(|line| line.contains("PRIVATE KEY"))
    {
        return Err("it is a private key; give the public one");
    }
    let bytes = block.as_bytes();
    let of = |algorithm, key| {
        Ok(VerifyingKey {
            kid: None,
            algorithm,
            key,
        })
    };
    if let Ok(key) = DecodingKey::from_ed_pem(bytes) {
        return of(Algorithm::EdDSA, key);
    }
    if let Ok(key) = DecodingKey::from_ec_pem(bytes) {
        return match key.try_get_as_bytes() {
            Ok(point) if point.len() == P256_POINT => of(Algorithm::ES256, key),
            _ => Err("its curve is not P-256"),
        };
    }
    match DecodingKey::from_rsa_pem(bytes) {
        Ok(key) => of(Algorithm::RS256, key),
        Err(_) => Err("it is no RSA, P-256 or Ed25519 public key in PEM"),
    }
}

fn unusable(path: &Path, index: usize, detail: &'static str) -> KeyError {
    KeyError::Unusable {
        path: path.to_owned(),
        position: index + 1,
        detail,
    }
}
