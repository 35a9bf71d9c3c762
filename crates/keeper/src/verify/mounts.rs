use std::path::{Path, PathBuf};

/// The mounts this process sees, in the order of `/proc/self/mountinfo`: later ones cover.
pub(super) struct Mounts(Vec<Mount>);

/// One mount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Which part of its file system is mounted.
    pub(super) root: PathBuf,
    pub(super) point: PathBuf,
    pub(super) fstype: String,
    /// Whether the mount or its file system is read-only.
    pub(super) read_only: bool,
    /// The file system's own options.
    pub(super) options: String,
}

impl Mounts {
    pub(super) fn read() -> Self {
        Self::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(parse_line).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }

    /// Returns the mount `path` lies on.
    pub(super) fn of(&self, path: &Path) -> Option<&Mount> {
        let holding = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        holding.max_by_key(|mount| mount.point.components().count())
    }

    pub(super) fn root_is_read_only(&self) -> Option<bool> {
        self.of(Path::new("/")).map(|mount| mount.read_only)
    }
}

/// `36 35 98:0 /root /point ro,noatime shared:1 - ext4 /dev/sda rw,errors=continue`, with any
/// number of tags before the dash.
fn parse_line(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point, flags) = (before.next()?, before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (fstype, options) = (after.next()?, after.nth(1).unwrap_or_default());
    let is_ro = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        root: unescape(root),
        point: unescape(point),
        fstype: fstype.to_owned(),
        read_only: is_ro(flags) || is_ro(options),
        options: options.to_owned(),
    })
}

/// The kernel writes blank, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let plain = |text: String, (code, sign): (&str, &str)| text.replace(code, sign);
    escapes.into_iter().fold(field.to_owned(), plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
1 0 0:5 / / ro,relatime - overlay overlay rw,lowerdir=/l
2 1 0:6 / /proc rw - proc proc rw
3 1 0:7 /a /home/with\\040space rw shared:3 master:1 - tmpfs tmpfs rw,size=1k
nonsense
";

    #[test]
    fn mounts_are_read_with_and_without_tags() {
        let mounts = Mounts::parse(TEXT);
        assert_eq!(mounts.iter().count(), 3);
        assert_eq!(mounts.root_is_read_only(), Some(true));
        let home = mounts.of(Path::new("/home/with space/deep")).unwrap();
        assert_eq!(
            (home.fstype.as_str(), home.root.to_str()),
            ("tmpfs", Some("/a"))
        );
    }

    #[test]
    fn without_mountinfo_the_root_is_unknown() {
        assert_eq!(Mounts::parse("").root_is_read_only(), None);
    }
}
