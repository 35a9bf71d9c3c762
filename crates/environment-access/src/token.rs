//! Login tokens: who signs them, what they must say, how they are verified.

mod claims;
mod config;
mod error;
mod fetch;
mod header;
mod jwks_url;
mod key_set;
mod keys;
mod mint;
mod remote;
mod verifier;

pub use claims::Claims;
pub use config::{FetchPace, KeySource, TokenArgs, TokenConfig};
pub use error::{KeyError, TokenError};
pub use jwks_url::{JwksUrl, JwksUrlError};
pub use mint::{IssuedToken, MintError, TokenRequest, issue_token};
pub use remote::KeyFreshness;
pub use verifier::{Login, TokenVerifier};
