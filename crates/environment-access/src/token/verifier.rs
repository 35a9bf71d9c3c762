//! Verifying login tokens.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, get_current_timestamp};
use secrecy::ExposeSecret;
use serde::Deserialize;
use session_identity::{LoginId, Principal, Role, UserId};
use sha2::{Digest, Sha256};

use super::config::{KeySource, TokenConfig, check_secret};
use super::keys::{VerifyingKey, read_keys};
use super::{Claims, KeyError, TokenError};

/// Longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;
/// Longest login name taken from a token, in bytes.
const LONGEST_JTI: usize = 128;
/// How far the platform's clock may be from ours, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 5;

/// Verifies login tokens against fixed keys, issuer and audience.
pub struct TokenVerifier {
    keys: Vec<VerifyingKey>,
    issuer: String,
    audience: String,
}

/// A verified login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who it is.
    pub principal: Principal,
    /// How long the login lasts from now.
    pub expires_in: Duration,
}

/// The parts of a token's header that choose the key.
#[derive(Deserialize)]
struct Header {
    alg: Option<String>,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl TokenVerifier {
    /// Makes a verifier, reading the key file where one is named.
    ///
    /// # Errors
    /// [`KeyError`] names the file and the key in it that cannot be used.
    pub fn new(config: &TokenConfig) -> Result<Self, KeyError> {
        let keys = match &config.keys {
            KeySource::File(path) => read_keys(path)?,
            KeySource::DevelopmentSecret(secret) => {
                let secret = secret.expose_secret().as_bytes();
                check_secret(secret)?;
                let key = DecodingKey::from_secret(secret);
                vec![VerifyingKey {
                    kid: None,
                    algorithm: Algorithm::HS256,
                    key,
                }]
            }
        };
        Ok(Self {
            keys,
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
        })
    }

    /// Verifies a token and says who it is.
    ///
    /// # Errors
    /// [`TokenError`] says which check failed; callers answer all of them alike.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        self.verify_login(token).map(|login| login.principal)
    }

    /// Verifies a token and says who it is and for how long.
    ///
    /// # Errors
    /// As [`TokenVerifier::verify`].
    pub fn verify_login(&self, token: &str) -> Result<Login, TokenError> {
        let header = read_header(token)?;
        let candidates = self.candidate_keys(&header)?;
        let claims = self.verified_claims(token, &candidates)?;
        let expires_in = claims.exp.saturating_sub(get_current_timestamp());
        Ok(Login {
            principal: principal_of(claims, token)?,
            expires_in: Duration::from_secs(expires_in),
        })
    }

    fn candidate_keys(&self, header: &Header) -> Result<Vec<&VerifyingKey>, TokenError> {
        let algorithm = header.alg.as_deref().unwrap_or_default();
        if algorithm.eq_ignore_ascii_case("none") {
            return Err(TokenError::AlgorithmNone);
        }
        let of_algorithm = self
            .keys
            .iter()
            .filter(|key| names(key.algorithm) == algorithm);
        let of_algorithm: Vec<_> = of_algorithm.collect();
        if of_algorithm.is_empty() {
            return Err(TokenError::AlgorithmNotAccepted {
                algorithm: shorten(algorithm),
            });
        }
        let Some(kid) = &header.kid else {
            return Ok(of_algorithm);
        };
        // A key without a name may be any; a named key is only the one it names.
        let of_kid = of_algorithm
            .into_iter()
            .filter(|key| key.kid.as_ref().is_none_or(|k| k == kid));
        let of_kid: Vec<_> = of_kid.collect();
        if of_kid.is_empty() {
            return Err(TokenError::UnknownKey { kid: shorten(kid) });
        }
        Ok(of_kid)
    }

    fn verified_claims(&self, token: &str, keys: &[&VerifyingKey]) -> Result<Claims, TokenError> {
        for candidate in keys {
            match decode::<Claims>(token, &candidate.key, &self.validation(candidate.algorithm)) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => return Err(token_error(&error)),
            }
        }
        Err(TokenError::SignatureInvalid)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = CLOCK_SKEW_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("keys", &self.keys.len())
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish()
    }
}

fn read_header(token: &str) -> Result<Header, TokenError> {
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

fn principal_of(claims: Claims, token: &str) -> Result<Principal, TokenError> {
    let user_id = UserId::parse(&claims.sub).map_err(TokenError::UserId)?;
    if claims.role.is_empty() {
        return Err(TokenError::ClaimMissing {
            claim: "role".to_owned(),
        });
    }
    let role: Role = claims.role.parse().map_err(|_| TokenError::UnknownRole {
        role: shorten(&claims.role),
    })?;
    let login_id = match claims.jti {
        Some(jti) if (1..=LONGEST_JTI).contains(&jti.len()) => jti,
        Some(_) => {
            return Err(TokenError::ClaimMalformed {
                claim: "jti".to_owned(),
            });
        }
        None => hex::encode(Sha256::digest(token.as_bytes())),
    };
    Ok(Principal {
        user_id,
        role,
        login_id: LoginId::new(login_id),
    })
}

fn token_error(error: &Error) -> TokenError {
    match error.kind() {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidIssuer => TokenError::WrongIssuer,
        ErrorKind::InvalidAudience => TokenError::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) => TokenError::ClaimMissing {
            claim: claim.clone(),
        },
        ErrorKind::InvalidClaimFormat(claim) => TokenError::ClaimMalformed {
            claim: claim.clone(),
        },
        ErrorKind::Json(_) => TokenError::Malformed {
            detail: "its claims do not fit",
        },
        ErrorKind::Base64(_) | ErrorKind::Utf8(_) => TokenError::Malformed {
            detail: "its claims are not base64 of JSON",
        },
        _ => TokenError::Malformed {
            detail: "it cannot be read",
        },
    }
}

/// The name of an algorithm in a token's header.
const fn names(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "HS256",
        Algorithm::ES256 => "ES256",
        Algorithm::RS256 => "RS256",
        Algorithm::EdDSA => "EdDSA",
        _ => "",
    }
}

/// Keeps what a stranger wrote short and printable before it goes into an error.
fn shorten(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}
