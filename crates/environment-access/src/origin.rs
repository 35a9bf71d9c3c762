//! The exact list of page origins that may open a terminal.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::{Origin, Url};

/// The origin of a page: scheme, host and port, in the form browsers send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageOrigin(String);

/// Why a text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("read {given:?} as an origin: write scheme://host or scheme://host:port, http or https")]
pub struct OriginError {
    /// What was given.
    pub given: String,
}

impl PageOrigin {
    /// The origin as browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PageOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let refuse = || OriginError {
            given: text.to_owned(),
        };
        let url = Url::parse(text).map_err(|_| refuse())?;
        let web = matches!(url.scheme(), "http" | "https");
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.origin() {
            origin @ Origin::Tuple(..) if web && bare => Ok(Self(origin.ascii_serialization())),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for PageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origins whose pages may use a login cookie for anything but reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<PageOrigin>);

impl Origins {
    /// Makes the list.
    pub fn new(origins: impl IntoIterator<Item = PageOrigin>) -> Self {
        Self(origins.into_iter().collect())
    }

    /// Finds the origin a request names, byte for byte: no case folding, no default ports, no
    /// suffixes, never `null`. A request that names none has none.
    pub fn find(&self, header: Option<&str>) -> Option<&PageOrigin> {
        let header = header?;
        self.0.iter().find(|origin| origin.as_str() == header)
    }

    /// Every origin, as given.
    pub fn iter(&self) -> impl Iterator<Item = &PageOrigin> {
        self.0.iter()
    }

    /// Whether the list is empty, so that no page may do anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::new(["https://exam.example".parse().unwrap()])
    }

    #[test]
    fn only_the_exact_origin_is_found() {
        let origins = origins();
        assert!(origins.find(Some("https://exam.example")).is_some());
        let refused = [
            "null",
            "",
            "http://exam.example",
            "https://exam.example:443",
            "https://exam.example:8443",
            "https://exam.example/",
            "https://EXAM.example",
            "https://other.exam.example",
            "https://exam.example.evil.test",
            "https://evil-exam.example",
            "https://exam.example, https://exam.example",
        ];
        for origin in refused {
            assert_eq!(origins.find(Some(origin)), None, "{origin}");
        }
        assert_eq!(origins.find(None), None);
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let written = |text: &str| text.parse::<PageOrigin>().map(|origin| origin.to_string());
        assert_eq!(
            written("https://Exam.Example:443").unwrap(),
            "https://exam.example"
        );
        assert_eq!(
            written("http://127.0.0.1:8080/").unwrap(),
            "http://127.0.0.1:8080"
        );
        assert_eq!(written("http://[::1]:8080").unwrap(), "http://[::1]:8080");
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        let refused = [
            "",
            "null",
            "*",
            "exam.example",
            "https://",
            "ftp://exam.example",
            "https://exam.example/page",
            "https://exam.example?x",
            "https://exam.example#x",
            "https://me@exam.example",
            "https://*.exam.example:port",
            "file:///etc",
        ];
        for text in refused {
            assert!(text.parse::<PageOrigin>().is_err(), "{text}");
        }
    }
}
