//! Verifying login tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, get_current_timestamp};
use metrics::gauge;
use secrecy::ExposeSecret;
use session_identity::{LoginId, Principal, Role, UserId};
use sha2::{Digest, Sha256};

use super::config::{KeySource, TokenConfig, check_secret};
use super::header::{Header, names, read_header, shorten};
use super::keys::{VerifyingKey, read_keys};
use super::remote::{KeyFreshness, RemoteKeys, Search};
use super::{Claims, KeyError, TokenError};

/// Longest login name taken from a token, in bytes.
const LONGEST_JTI: usize = 128;
/// How far the platform's clock may be from ours, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 5;

/// Verifies login tokens against an issuer's keys, its name and an audience.
pub struct TokenVerifier {
    keys: Keys,
    issuer: String,
    audience: String,
}

/// The keys that may have signed a token.
enum Keys {
    /// Read once.
    Fixed(Arc<[VerifyingKey]>),
    /// Fetched again and again.
    Remote(Box<RemoteKeys>),
}

impl Keys {
    fn at_hand(&self) -> Result<Arc<[VerifyingKey]>, TokenError> {
        match self {
            Self::Fixed(keys) => Ok(Arc::clone(keys)),
            Self::Remote(keys) => keys.at_hand().ok_or(TokenError::KeysUnavailable),
        }
    }
}

/// A verified login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who it is.
    pub principal: Principal,
    /// How long the login lasts from now.
    pub expires_in: Duration,
}

impl TokenVerifier {
    /// Makes a verifier, reading the key file where one is named. Where an address is, nothing is
    /// fetched before [`TokenVerifier::keep_keys_fresh`] runs.
    ///
    /// # Errors
    /// [`KeyError`] names the file and the key in it that cannot be used.
    pub fn new(config: &TokenConfig) -> Result<Self, KeyError> {
        let keys = match &config.keys {
            KeySource::File(path) => Keys::Fixed(read_keys(path)?.into()),
            KeySource::Jwks {
                url,
                pace,
                authorities,
            } => {
                let keys = RemoteKeys::new(url.clone(), *pace, authorities.as_deref())?;
                Keys::Remote(Box::new(keys))
            }
            KeySource::DevelopmentSecret(secret) => {
                let secret = secret.expose_secret().as_bytes();
                check_secret(secret)?;
                let key = DecodingKey::from_secret(secret);
                Keys::Fixed(Arc::new([VerifyingKey {
                    kid: None,
                    algorithm: Algorithm::HS256,
                    key,
                }]))
            }
        };
        Ok(Self {
            keys,
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
        })
    }

    /// Keeps the keys of an address fresh; never returns. Dropping it ends that.
    pub async fn keep_keys_fresh(&self) {
        match &self.keys {
            Keys::Fixed(_) => std::future::pending().await,
            Keys::Remote(keys) => keys.keep_fresh().await,
        }
    }

    /// How fetching the keys stands; `None` for keys that are not fetched.
    pub fn key_freshness(&self) -> Option<KeyFreshness> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(keys) => Some(keys.freshness()),
        }
    }

    /// Keeps the keys of an address fresh until `stop`, and whoever waits for a key is then told so.
    pub async fn keep_keys_fresh_until(&self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.keep_keys_fresh() => {}
        }
    }

    /// Shows in this process's metrics how fetching the keys stands. The names are described in
    /// `telemetry`.
    pub fn show_key_freshness(&self) {
        let Some(keys) = self.key_freshness() else {
            return;
        };
        gauge!("carrel_token_key_fetch_failures").set(f64::from(keys.failures));
        if let Some(age) = keys.age {
            gauge!("carrel_token_keys_age_seconds").set(age.as_secs_f64());
            let count = u32::try_from(keys.keys).unwrap_or(u32::MAX);
            gauge!("carrel_token_keys").set(f64::from(count));
        }
    }

    /// Says how many keys there are, fetching them once where they are at an address, for whoever looks
    /// at an installation.
    ///
    /// # Errors
    /// Why they cannot be fetched or used, in words for an operator.
    pub async fn count_keys(&self) -> Result<usize, String> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(keys.len()),
            Keys::Remote(keys) => keys.try_once().await,
        }
    }

    /// Whether there are keys to verify a token with: always, unless they were never fetched or the
    /// issuer has taken all of them back.
    pub fn has_keys(&self) -> bool {
        self.keys.at_hand().is_ok_and(|keys| !keys.is_empty())
    }

    /// Why this process cannot say anything of a token, for an operator; `None` once it can.
    ///
    /// An issuer that has taken all keys back is no reason: every replica knows the same of it, no restart
    /// mends it, and all of them leaving at once would end what needs no new login.
    pub fn why_not_ready(&self) -> Option<&'static str> {
        let keys = self.key_freshness()?;
        keys.age.is_none().then_some(
            "the keys for logins have not been fetched yet (--token-jwks-url); the log says why",
        )
    }

    /// Verifies a token with the keys at hand and says who it is.
    ///
    /// # Errors
    /// [`TokenError`] says which check failed; callers answer all of them alike.
    pub fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let header = read_header(token)?;
        let login = self.verify_with(&self.keys.at_hand()?, &header, token);
        login.map(|login| login.principal)
    }

    /// Verifies a token and says who it is and for how long. A token that names a key which is
    /// not at hand has the keys fetched first, as often as the issuer can bear.
    ///
    /// # Errors
    /// As [`TokenVerifier::verify`], and [`TokenError::KeysUnavailable`] while no keys were ever
    /// fetched, and for a key that is not at hand if the issuer did not answer when it was last asked.
    pub async fn verify_login(&self, token: &str) -> Result<Login, TokenError> {
        let header = read_header(token)?;
        let keys = self.keys.at_hand()?;
        let login = self.verify_with(&keys, &header, token);
        let (Keys::Remote(remote), Some(kid), Err(_)) = (&self.keys, &header.kid, &login) else {
            return login;
        };
        if !header.names_public_key_algorithm() {
            return login;
        }
        match remote.find(kid, &keys).await {
            Search::Found => self.verify_with(&self.keys.at_hand()?, &header, token),
            Search::Absent => login,
            Search::Unanswered => Err(TokenError::KeysUnavailable),
        }
    }

    fn verify_with(
        &self,
        keys: &[VerifyingKey],
        header: &Header,
        token: &str,
    ) -> Result<Login, TokenError> {
        let candidates = candidate_keys(keys, header)?;
        let claims = self.verified_claims(token, &candidates)?;
        let expires_in = claims.exp.saturating_sub(get_current_timestamp());
        Ok(Login {
            principal: principal_of(claims, token)?,
            expires_in: Duration::from_secs(expires_in),
        })
    }

    fn verified_claims(&self, token: &str, keys: &[&VerifyingKey]) -> Result<Claims, TokenError> {
        for candidate in keys {
            match decode::<Claims>(token, &candidate.key, &self.validation(candidate.algorithm)) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) if is_another_key_s(&error) => {}
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

/// Whether another key may have made the signature: this one did not, or is none.
fn is_another_key_s(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidSignature
            | ErrorKind::InvalidEcdsaKey
            | ErrorKind::InvalidEddsaKey
            | ErrorKind::InvalidRsaKey(_)
    )
}

/// The keys that may have made a token's signature, going by its header.
fn candidate_keys<'a>(
    keys: &'a [VerifyingKey],
    header: &Header,
) -> Result<Vec<&'a VerifyingKey>, TokenError> {
    let algorithm = header.alg.as_deref().unwrap_or_default();
    if algorithm.eq_ignore_ascii_case("none") {
        return Err(TokenError::AlgorithmNone);
    }
    let of_algorithm = keys.iter().filter(|key| names(key.algorithm) == algorithm);
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

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.at_hand().map_or(0, |keys| keys.len());
        f.debug_struct("TokenVerifier")
            .field("keys", &keys)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish()
    }
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
        Some(jti) if is_login_id(&jti) => jti,
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

/// It is stored with each attach and logged, so that it must be text that can be.
fn is_login_id(jti: &str) -> bool {
    (1..=LONGEST_JTI).contains(&jti.len()) && !jti.contains(char::is_control)
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
