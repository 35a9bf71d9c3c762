//! Login tokens: who signs them, what they must say, how they are verified.

mod claims;
mod config;
mod error;
mod keys;
mod mint;
mod verifier;

pub use claims::Claims;
pub use config::{KeySource, TokenArgs, TokenConfig};
pub use error::{KeyError, TokenError};
pub use mint::{IssuedToken, MintError, TokenRequest, issue_token};
pub use verifier::{Login, TokenVerifier};
