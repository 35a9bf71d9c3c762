//! What a login token says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The claims of a login token.
///
/// Shape: a JWT claims set. Times are seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The user, as the exam platform names them.
    pub sub: String,
    /// `candidate`, `invigilator`, `operator` or `service`.
    #[serde(default)]
    pub role: String,
    /// Whom the token is for: a text or a list of texts.
    pub aud: Value,
    /// Who signed it.
    pub iss: String,
    /// When it ends.
    pub exp: u64,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Names this login; without it a hash of the token does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}
