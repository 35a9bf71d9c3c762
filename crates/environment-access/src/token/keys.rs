//! Reading verifying keys from a file.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::KeyError;

/// An uncompressed point of P-256: a tag and two coordinates of 32 bytes.
const P256_POINT: usize = 65;
/// Shortest accepted RSA modulus.
const RSA_BITS: usize = 2048;
/// Longer ones are not verified with here.
const LONGEST_RSA_BITS: usize = 4096;
/// Of a point on P-256, and of an Ed25519 key.
const COORDINATE_BYTES: usize = 32;
const END_OF_BLOCK: &str = "-----END ";

/// A key that can verify signatures of one algorithm.
pub(super) struct VerifyingKey {
    /// Name of the key, where its file gave one.
    pub(super) kid: Option<String>,
    /// The only algorithm it is used with, so that no token chooses another.
    pub(super) algorithm: Algorithm,
    /// The key itself.
    pub(super) key: DecodingKey,
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
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
        .map(|(index, jwk)| jwk_key(jwk).map_err(|fault| unusable(path, index, fault.detail())))
        .collect()
}

/// What is wrong with one key of a JWKS document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JwkFault {
    /// Whoever reads it can sign with it.
    SharedSecret,
    /// Its type or curve is not accepted.
    OtherKind,
    /// It says that it is for another algorithm.
    OtherAlgorithm,
    /// It is an RSA key that can be broken.
    ShortModulus,
    /// Its numbers do not fit its type.
    NotAKey,
}

impl JwkFault {
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::SharedSecret => "it is a shared secret, not a public key",
            Self::OtherKind => "only RSA, P-256 and Ed25519 keys are accepted",
            Self::OtherAlgorithm => "its alg is not RS256, ES256 or EdDSA",
            Self::ShortModulus => "its RSA modulus is shorter than 2048 bits",
            Self::NotAKey => "its numbers are not a key",
        }
    }
}

pub(super) fn jwk_key(jwk: &Jwk) -> Result<VerifyingKey, JwkFault> {
    let algorithm = jwk_algorithm(jwk)?;
    let named = jwk.common.key_algorithm.map(|named| named.to_string());
    if named.is_some_and(|named| named != format!("{algorithm:?}")) {
        return Err(JwkFault::OtherAlgorithm);
    }
    check_lengths(jwk)?;
    let key = DecodingKey::from_jwk(jwk).map_err(|_| JwkFault::NotAKey)?;
    Ok(VerifyingKey {
        kid: jwk.common.key_id.clone(),
        algorithm,
        key,
    })
}

fn jwk_algorithm(jwk: &Jwk) -> Result<Algorithm, JwkFault> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(numbers) if modulus_bits(&numbers.n)? < RSA_BITS => {
            Err(JwkFault::ShortModulus)
        }
        AlgorithmParameters::RSA(_) => Ok(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            Ok(Algorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Ok(Algorithm::EdDSA)
        }
        AlgorithmParameters::OctetKey(_) => Err(JwkFault::SharedSecret),
        _ => Err(JwkFault::OtherKind),
    }
}

/// A key of another length is not noticed before it is used, and then ends whoever uses it.
fn check_lengths(jwk: &Jwk) -> Result<(), JwkFault> {
    let is_long = |number: &str, bytes: usize| {
        let decoded = URL_SAFE_NO_PAD.decode(number);
        decoded.is_ok_and(|decoded| decoded.len() == bytes)
    };
    let fits = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(point) => {
            is_long(&point.x, COORDINATE_BYTES) && is_long(&point.y, COORDINATE_BYTES)
        }
        AlgorithmParameters::OctetKeyPair(pair) => is_long(&pair.x, COORDINATE_BYTES),
        AlgorithmParameters::RSA(numbers) => modulus_bits(&numbers.n)? <= LONGEST_RSA_BITS,
        // The others are refused by their kind.
        _ => true,
    };
    fits.then_some(()).ok_or(JwkFault::NotAKey)
}

/// Bits of a modulus, without the zeros before it.
fn modulus_bits(n: &str) -> Result<usize, JwkFault> {
    let bytes = URL_SAFE_NO_PAD.decode(n).map_err(|_| JwkFault::NotAKey)?;
    let significant = bytes.iter().position(|byte| *byte != 0);
    Ok(significant.map_or(0, |first| {
        let zeros = usize::try_from(bytes[first].leading_zeros()).unwrap_or(0);
        (bytes.len() - first) * 8 - zeros
    }))
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
