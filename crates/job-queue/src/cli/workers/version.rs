//! Versions of workers, as people compare them.

use std::cmp::Ordering;
use std::str::FromStr;

/// Which versions are meant, such as `<1.9`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionBound {
    orderings: &'static [Ordering],
    numbers: Vec<u64>,
}

impl VersionBound {
    /// Whether a build's version is one of them; one that is no version never is.
    pub(super) fn holds(&self, build: &str) -> bool {
        numbers(build).is_some_and(|build| {
            let ordering = compare(&build, &self.numbers);
            self.orderings.contains(&ordering)
        })
    }
}

impl FromStr for VersionBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use Ordering::{Equal, Greater, Less};
        let rest = text.trim_start_matches(['<', '>', '=']);
        let orderings: &[_] = match &text[..text.len() - rest.len()] {
            "<" => &[Less],
            "<=" => &[Less, Equal],
            "" | "=" => &[Equal],
            ">=" => &[Equal, Greater],
            ">" => &[Greater],
            _ => return Err(malformed()),
        };
        let numbers = numbers(rest).ok_or_else(malformed)?;
        Ok(Self { orderings, numbers })
    }
}

/// The numbers between the dots; what follows a dash or a plus names a build of the same version.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.split(['-', '+']).next().unwrap_or_default();
    version
        .split('.')
        .map(|number| number.parse().ok())
        .collect()
}

/// A number that is left out is zero: 1.9 and 1.9.0 are the same.
fn compare(one: &[u64], other: &[u64]) -> Ordering {
    let at = |numbers: &[u64], index| numbers.get(index).copied().unwrap_or_default();
    let places = 0..one.len().max(other.len());
    places
        .map(|index| at(one, index).cmp(&at(other, index)))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn malformed() -> String {
    "write a version behind <, <=, =, >= or >, in quotes for the shell: '<1.9'".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        let bound = |text: &str| text.parse::<VersionBound>().unwrap();
        for (text, build, holds) in [
            ("<1.9", "1.8.12", true),
            ("<1.9", "1.10.0", false),
            ("<1.9", "1.9.0-rc1", false),
            ("<=1.9", "1.9.0+a1b2", true),
            ("=0.1", "0.1.0", true),
            ("0.1.0", "0.1.1", false),
            (">=2", "10.0.0", true),
            (">2", "2.0.0", false),
            ("<1.9", "main", false),
        ] {
            assert_eq!(bound(text).holds(build), holds, "{build} {text}");
        }
        for text in ["", "<", "=<1.9", "< 1.9", "one", "1..9"] {
            assert!(text.parse::<VersionBound>().is_err(), "{text}");
        }
    }
}
