//! Making tokens for development: the exam platform does it elsewhere.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use session_identity::{LoginId, Role, UserId};
use thiserror::Error;
use uuid::Uuid;

use super::config::check_secret;
use super::{Claims, KeyError};

/// Longest life of a token made here: development needs no more than a week.
const LONGEST_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// A token to be made.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The user it names.
    pub user_id: UserId,
    /// Their role.
    pub role: Role,
    /// How long it lasts, 1 second to 7 days.
    pub lifetime: Duration,
    /// Who issues it.
    pub issuer: String,
    /// Whom it is for.
    pub audience: String,
}

/// A token just made.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: SecretString,
    /// The login it stands for.
    pub login_id: LoginId,
    /// How long it lasts.
    pub expires_in: Duration,
}

/// Why no token was made.
#[derive(Debug, Error)]
pub enum MintError {
    /// The secret cannot be used.
    #[error("use the secret for tokens")]
    Key(#[source] KeyError),
    /// The lifetime is zero or too long.
    #[error("make a token for {}s: 1 to {} are possible", lifetime.as_secs(), longest.as_secs())]
    Lifetime {
        /// What was asked for.
        lifetime: Duration,
        /// Longest possible.
        longest: Duration,
    },
    /// The token could not be signed.
    #[error("sign a token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Makes an HS256 token for development.
///
/// # Errors
/// [`MintError`] when the secret is shorter than 32 bytes or the lifetime is out of range.
pub fn issue_token(
    request: &TokenRequest,
    secret: &SecretString,
) -> Result<IssuedToken, MintError> {
    let secret = secret.expose_secret().as_bytes();
    check_secret(secret).map_err(MintError::Key)?;
    let lifetime = request.lifetime;
    if lifetime.as_secs() == 0 || lifetime > LONGEST_LIFETIME {
        return Err(MintError::Lifetime {
            lifetime,
            longest: LONGEST_LIFETIME,
        });
    }
    let login_id = Uuid::now_v7().to_string();
    let claims = claims_of(request, &login_id);
    let key = EncodingKey::from_secret(secret);
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(MintError::Sign)?;
    Ok(IssuedToken {
        token: token.into(),
        login_id: LoginId::new(login_id),
        expires_in: Duration::from_secs(lifetime.as_secs()),
    })
}

fn claims_of(request: &TokenRequest, login_id: &str) -> Claims {
    let now = get_current_timestamp();
    Claims {
        sub: request.user_id.to_string(),
        role: request.role.as_str().to_owned(),
        aud: Value::from(request.audience.as_str()),
        iss: request.issuer.clone(),
        exp: now + request.lifetime.as_secs(),
        iat: Some(now),
        nbf: None,
        jti: Some(login_id.to_owned()),
    }
}
