//! Settings for verifying login tokens.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::KeyError;

/// Shortest accepted development secret, in bytes: as long as the digest it keys.
const SHORTEST_SECRET: usize = 32;

/// Command-line settings for verifying login tokens.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// File with the exam platform's public keys: PEM blocks or a JWKS document.
    #[arg(long = "token-keys", env = "CARREL_TOKEN_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Shared HS256 secret of at least 32 bytes, for development only.
    #[arg(
        long = "token-hs256-secret",
        env = "CARREL_TOKEN_HS256_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub development_secret: Option<SecretString>,
    /// Issuer that tokens must name.
    #[arg(
        long = "token-issuer",
        env = "CARREL_TOKEN_ISSUER",
        default_value = "exam-platform"
    )]
    pub issuer: String,
    /// Audience that tokens must name.
    #[arg(
        long = "token-audience",
        env = "CARREL_TOKEN_AUDIENCE",
        default_value = "carrel"
    )]
    pub audience: String,
}

/// Checked settings for verifying login tokens.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// Where the verifying keys come from.
    pub keys: KeySource,
    /// Issuer that tokens must name.
    pub issuer: String,
    /// Audience that tokens must name.
    pub audience: String,
}

/// Where verifying keys come from: never both, so that nobody signs with a development secret
/// where the platform's keys are in force.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Public keys in a file.
    File(PathBuf),
    /// A shared secret, for development.
    DevelopmentSecret(SecretString),
}

impl TokenConfig {
    /// Settings that accept HS256 tokens of one secret, for development and tests.
    pub fn development(secret: SecretString) -> Self {
        Self {
            keys: KeySource::DevelopmentSecret(secret),
            issuer: "exam-platform".to_owned(),
            audience: "carrel".to_owned(),
        }
    }
}

impl TryFrom<TokenArgs> for TokenConfig {
    type Error = KeyError;

    fn try_from(args: TokenArgs) -> Result<Self, KeyError> {
        let keys = match (args.keys, args.development_secret) {
            (Some(path), None) => KeySource::File(path),
            (None, Some(secret)) => KeySource::DevelopmentSecret(secret),
            (Some(_), Some(_)) => return Err(KeyError::BothGiven),
            (None, None) => return Err(KeyError::NoneGiven),
        };
        Ok(Self {
            keys,
            issuer: args.issuer,
            audience: args.audience,
        })
    }
}

/// Refuses a development secret that is too short to key SHA-256.
pub(super) fn check_secret(secret: &[u8]) -> Result<(), KeyError> {
    if secret.len() < SHORTEST_SECRET {
        return Err(KeyError::SecretTooShort {
            length: secret.len(),
            shortest: SHORTEST_SECRET,
        });
    }
    Ok(())
}
