use carrel_keeper::report::{Capabilities, IdRange};

/// The fields of `/proc/self/status`.
pub(super) struct Status(String);

impl Status {
    pub(super) fn read() -> Self {
        Self(std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
    }

    /// Returns a field that is one decimal number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        let set = |name| self.field(name).map(ToOwned::to_owned);
        Capabilities {
            effective: set("CapEff"),
            permitted: set("CapPrm"),
            inheritable: set("CapInh"),
            bounding: set("CapBnd"),
            ambient: set("CapAmb"),
        }
    }
}

/// Reads this process's uid map.
pub(super) fn uid_map() -> Option<Vec<IdRange>> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    map.lines().map(parse_range).collect()
}

fn parse_range(line: &str) -> Option<IdRange> {
    let mut numbers = line.split_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(IdRange {
        inside: next()?,
        outside: next()?,
        count: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nCapEff:\t00000000a80425fb\n";
        let status = Status(text.to_owned());
        assert_eq!(status.number("Seccomp"), Some(2));
        assert_eq!(
            status.capabilities().effective.as_deref(),
            Some("00000000a80425fb")
        );
        assert_eq!(status.capabilities().ambient, None);
    }

    #[test]
    fn a_uid_map_line_has_three_numbers() {
        let range = parse_range("         0     100000      65536").unwrap();
        assert_eq!(
            (range.inside, range.outside, range.count),
            (0, 100_000, 65_536)
        );
        assert_eq!(parse_range("0 1"), None);
    }
}
