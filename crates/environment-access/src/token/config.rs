//! Settings for verifying login tokens.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::{JwksUrl, KeyError};

/// Shortest accepted development secret, in bytes: as long as the digest it keys.
const SHORTEST_SECRET: usize = 32;

/// Command-line settings for verifying login tokens.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// File with the exam platform's public keys: PEM blocks or a JWKS document.
    #[arg(long = "token-keys", env = "CARREL_TOKEN_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Address of the exam platform's JWKS document, instead of a file: https, or http on loopback.
    // Read later: a complaint of the parser, a help text or a log would repeat what somebody took for
    // a user and a password.
    #[arg(
        long = "token-jwks-url",
        env = "CARREL_TOKEN_JWKS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub jwks_url: Option<SecretString>,
    /// File of PEM certificates of the authorities to know that address by, instead of the machine's.
    #[arg(
        long = "token-jwks-ca-file",
        env = "CARREL_TOKEN_JWKS_CA_FILE",
        value_name = "FILE"
    )]
    pub jwks_ca_file: Option<PathBuf>,
    /// How often that document is fetched, in seconds: 10 to 86400. A token that names an unknown
    /// key has it fetched at once.
    #[arg(
        long = "token-jwks-refresh-seconds",
        env = "CARREL_TOKEN_JWKS_REFRESH_SECONDS",
        default_value_t = 300,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(10..=86400)
    )]
    pub jwks_refresh_seconds: u32,
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

/// Where verifying keys come from: one place only, so that nobody signs with a development secret
/// where the platform's keys are in force.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Public keys in a file.
    File(PathBuf),
    /// Public keys at an address, fetched again and again.
    Jwks {
        /// The address.
        url: JwksUrl,
        /// How often, and how patiently.
        pace: FetchPace,
        /// A file of those who may say whose address it is; without one the machine's.
        authorities: Option<PathBuf>,
    },
    /// A shared secret, for development.
    DevelopmentSecret(SecretString),
}

/// How often keys are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchPace {
    /// Between two fetches that succeed, give or take a tenth.
    pub every: Duration,
    /// From the beginning of a fetch to the next one for a token that names an unknown key: any
    /// caller can write such tokens, and the issuer is not to feel it.
    pub at_most_every: Duration,
    /// From asking to the last byte of the answer. Callers may have to wait for it.
    pub within: Duration,
}

impl Default for FetchPace {
    fn default() -> Self {
        Self {
            every: Duration::from_mins(5),
            at_most_every: Duration::from_secs(10),
            within: Duration::from_secs(5),
        }
    }
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
        let keys = key_source(&args)?;
        Ok(Self {
            keys,
            issuer: args.issuer,
            audience: args.audience,
        })
    }
}

/// Takes the one source that was given.
fn key_source(args: &TokenArgs) -> Result<KeySource, KeyError> {
    let pace = FetchPace {
        every: Duration::from_secs(args.jwks_refresh_seconds.into()),
        ..FetchPace::default()
    };
    let file = args.keys.clone().map(KeySource::File);
    let url = args.jwks_url.as_ref();
    let url = url.map(|url| url.expose_secret().parse::<JwksUrl>());
    let url = url.transpose().map_err(KeyError::JwksUrl)?;
    let authorities = args.jwks_ca_file.clone();
    if authorities.is_some() && url.is_none() {
        return Err(KeyError::AuthoritiesWithoutUrl);
    }
    let jwks = url.map(|url| KeySource::Jwks {
        url,
        pace,
        authorities,
    });
    let secret = args.development_secret.clone();
    let mut given: Vec<_> = [
        ("--token-keys", file),
        ("--token-jwks-url", jwks),
        (
            "--token-hs256-secret",
            secret.map(KeySource::DevelopmentSecret),
        ),
    ]
    .into_iter()
    .filter_map(|(flag, source)| Some((flag, source?)))
    .collect();
    if given.len() > 1 {
        let given = given.into_iter().map(|(flag, _)| flag).collect();
        return Err(KeyError::SeveralGiven { given });
    }
    given
        .pop()
        .map(|(_, source)| source)
        .ok_or(KeyError::NoneGiven)
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
