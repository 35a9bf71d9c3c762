//! Why keys cannot be used and why a token is refused.

use std::path::PathBuf;

use session_identity::UserIdError;
use thiserror::Error;

use super::{JwksUrl, JwksUrlError};

/// Why the keys for verifying tokens cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No source of keys was given.
    #[error(
        "find token keys: give --token-keys (CARREL_TOKEN_KEYS) or --token-jwks-url \
         (CARREL_TOKEN_JWKS_URL)"
    )]
    NoneGiven,
    /// More than one source of keys was given.
    #[error("choose between {}: more than one is given", given.join(" and "))]
    SeveralGiven {
        /// The flags of those that were.
        given: Vec<&'static str>,
    },
    /// This machine trusts nobody to say whose server answers.
    #[error(
        "find certificate authorities to know {url} by (--token-jwks-url): install \
         ca-certificates, or name a file of them in SSL_CERT_FILE"
    )]
    NoAuthorities {
        /// The address that keys are to be fetched from.
        url: JwksUrl,
        /// What was looked at.
        #[source]
        source: std::io::Error,
    },
    /// The address is none that keys may be fetched from. It is not repeated: it may hold a password.
    #[error("use the address of the issuer's keys (--token-jwks-url): {0}")]
    JwksUrl(JwksUrlError),
    /// The file of certificate authorities cannot be used.
    #[error(
        "read certificate authorities from {} (--token-jwks-ca-file): {detail}; it needs CERTIFICATE \
         blocks of PEM",
        path.display()
    )]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Authorities were named for keys that are not fetched.
    #[error(
        "use --token-jwks-ca-file (CARREL_TOKEN_JWKS_CA_FILE): it is for --token-jwks-url only"
    )]
    AuthoritiesWithoutUrl,
    /// The development secret is too short.
    #[error("use a token secret of {length} bytes: at least {shortest} are needed")]
    SecretTooShort {
        /// Its length in bytes.
        length: usize,
        /// Least length in bytes.
        shortest: usize,
    },
    /// The file cannot be read.
    #[error("read token keys from {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("find a public key in {}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something other than public keys in PEM or a JWKS document.
    #[error("read key {position} of {}: {detail}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Which key of it, from 1.
        position: usize,
        /// What is wrong.
        detail: &'static str,
    },
    /// The file looks like JSON and is no JWKS document.
    #[error("read {} as a JWKS document", path.display())]
    Jwks {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Why a token was refused. Internal: every caller gets the same public answer, unless the keys
/// are what is missing: then the token may be good, and the caller is to come back.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is no token.
    #[error("find a login token")]
    Missing,
    /// It is not three base64 parts of JSON, or too long to be looked at.
    #[error("read a login token: {detail}")]
    Malformed {
        /// What is wrong, without its content.
        detail: &'static str,
    },
    /// Its header says `alg: none`.
    #[error("accept a login token without a signature")]
    AlgorithmNone,
    /// Its algorithm is not one of those there are keys for.
    #[error("accept the algorithm {algorithm:?} of a login token")]
    AlgorithmNotAccepted {
        /// The algorithm named, shortened.
        algorithm: String,
    },
    /// Its header names a key that is not here.
    #[error("find the key {kid:?} of a login token")]
    UnknownKey {
        /// The key named, shortened.
        kid: String,
    },
    /// The issuer's keys were never fetched, or not since a token came that names another, so that
    /// nothing can be said of it.
    #[error("find the issuer's keys: none were fetched since the token came (--token-jwks-url)")]
    KeysUnavailable,
    /// No key of ours made its signature.
    #[error("verify the signature of a login token")]
    SignatureInvalid,
    /// It has ended.
    #[error("accept a login token that has expired")]
    Expired,
    /// It has not begun.
    #[error("accept a login token before its time")]
    NotYetValid,
    /// Somebody else issued it.
    #[error("accept the issuer of a login token")]
    WrongIssuer,
    /// It is for somebody else.
    #[error("accept the audience of a login token")]
    WrongAudience,
    /// A claim is missing.
    #[error("find the claim {claim:?} in a login token")]
    ClaimMissing {
        /// Name of the claim.
        claim: String,
    },
    /// A claim has the wrong shape.
    #[error("read the claim {claim:?} of a login token")]
    ClaimMalformed {
        /// Name of the claim.
        claim: String,
    },
    /// The subject is no user id.
    #[error("read the subject of a login token")]
    UserId(#[source] UserIdError),
    /// The role is unknown.
    #[error("accept the role {role:?} of a login token")]
    UnknownRole {
        /// The role named, shortened.
        role: String,
    },
}

impl TokenError {
    /// What every refused caller is told, whatever the reason.
    pub const PUBLIC_MESSAGE: &'static str = "The login is missing or not valid.";

    /// The code every refused caller is told, whatever the reason.
    pub const PUBLIC_CODE: &'static str = "login.required";

    /// A stable code for logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token.missing",
            Self::Malformed { .. } => "token.malformed",
            Self::AlgorithmNone => "token.algorithm_none",
            Self::AlgorithmNotAccepted { .. } => "token.algorithm_not_accepted",
            Self::UnknownKey { .. } => "token.unknown_key",
            Self::KeysUnavailable => "token.keys_unavailable",
            Self::SignatureInvalid => "token.signature_invalid",
            Self::Expired => "token.expired",
            Self::NotYetValid => "token.not_yet_valid",
            Self::WrongIssuer => "token.wrong_issuer",
            Self::WrongAudience => "token.wrong_audience",
            Self::ClaimMissing { .. } => "token.claim_missing",
            Self::ClaimMalformed { .. } => "token.claim_malformed",
            Self::UserId(_) => "token.user_id",
            Self::UnknownRole { .. } => "token.unknown_role",
        }
    }
}
