//! The address of an issuer's keys.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use thiserror::Error;
use url::{Host, Url};

/// An address that keys may be fetched from: https, or http on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl {
    uri: Uri,
}

/// Why an address is none that keys may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwksUrlError {
    /// It is no address.
    #[error("it is no URL; write https://host/path")]
    NoUrl,
    /// Whoever is on the way could put their own keys into the answer.
    #[error("it is not https; http is for loopback addresses only")]
    NotHttps,
    /// It holds a user name or a password, which logs would show.
    #[error("it names a user; keys are public, so leave the user out")]
    NamesUser,
    /// It has a part that no server is sent.
    #[error("it has a fragment; leave out the # and what follows it")]
    HasFragment,
}

impl JwksUrl {
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether certificates are needed to know who answers.
    pub(super) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }
}

impl FromStr for JwksUrl {
    type Err = JwksUrlError;

    fn from_str(text: &str) -> Result<Self, JwksUrlError> {
        let url = Url::parse(text).map_err(|_| JwksUrlError::NoUrl)?;
        let host = url.host().ok_or(JwksUrlError::NoUrl)?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&host));
        if !is_safe {
            return Err(JwksUrlError::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(JwksUrlError::NamesUser);
        }
        if url.fragment().is_some() {
            return Err(JwksUrlError::HasFragment);
        }
        let uri = url.as_str().parse().map_err(|_| JwksUrlError::NoUrl)?;
        Ok(Self { uri })
    }
}

/// Writes the address without its query.
impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |it| it.as_str());
        write!(f, "{scheme}://{authority}{}", self.uri.path())
    }
}

/// As it is displayed: a query may hold what opens the address.
impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUrl({self})")
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for text in [
            "https://exam.example/.well-known/jwks.json",
            "https://exam.example:8443/keys?tenant=1",
            "http://127.0.0.1:9000/jwks",
            "http://127.1.2.3/jwks",
            "http://[::1]:9000/jwks",
            "http://localhost/jwks",
        ] {
            assert!(text.parse::<JwksUrl>().is_ok(), "{text}");
        }
        for (text, why) in [
            ("http://exam.example/jwks", JwksUrlError::NotHttps),
            ("http://localhost.exam.example/", JwksUrlError::NotHttps),
            ("http://10.0.0.1/jwks", JwksUrlError::NotHttps),
            ("ftp://127.0.0.1/jwks", JwksUrlError::NotHttps),
            ("https://me@exam.example/", JwksUrlError::NamesUser),
            ("https://:pass@exam.example/", JwksUrlError::NamesUser),
            ("https://exam.example/#keys", JwksUrlError::HasFragment),
            ("file:///etc/keys", JwksUrlError::NoUrl),
            ("exam.example/jwks", JwksUrlError::NoUrl),
            ("", JwksUrlError::NoUrl),
        ] {
            assert_eq!(text.parse::<JwksUrl>(), Err(why), "{text}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_query() {
        let url: JwksUrl = "https://exam.example/keys?key=c4n4ry".parse().unwrap();
        assert_eq!(url.to_string(), "https://exam.example/keys");
        assert_eq!(format!("{url:?}"), "JwksUrl(https://exam.example/keys)");
        assert!(url.is_https());
    }
}
