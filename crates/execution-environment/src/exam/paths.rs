//! Which directory may become the candidate's scratch volume.

/// What a scratch volume must not cover: the image's programs and the platform's own places.
const RESERVED: [&str; 16] = [
    "/bin", "/boot", "/carrel", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root",
    "/run", "/sbin", "/sys", "/tmp", "/usr", "/var",
];
const MAX_LENGTH: usize = 255;

/// Says what is wrong with a working directory; `None` means it is acceptable.
pub(crate) fn fault(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("is empty".to_owned());
    }
    if path.len() > MAX_LENGTH {
        return Some(format!(
            "has {} bytes, at most {MAX_LENGTH} are allowed",
            path.len()
        ));
    }
    if !path.starts_with('/') {
        return Some("is not absolute".to_owned());
    }
    if path == "/"
        || path[1..]
            .split('/')
            .any(|part| matches!(part, "" | "." | ".."))
    {
        return Some("is not a plain directory below the root".to_owned());
    }
    if let Some(illegal) = path.chars().find(|c| !is_plain(*c)) {
        return Some(format!("contains {illegal:?}"));
    }
    RESERVED
        .into_iter()
        .find(|reserved| path == *reserved || path.starts_with(&format!("{reserved}/")))
        .map(|reserved| format!("lies in {reserved}, which is not the candidate's"))
}

/// Mount options separate by comma and colon, so a path keeps to a small alphabet.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '/' | '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn a_home_is_accepted_and_the_systems_places_are_not() {
        assert_eq!(fault("/home/candidate"), None);
        assert_eq!(fault("/work"), None);
        let refused = [
            "",
            "/",
            "home",
            "/home/../etc",
            "/home//x",
            "/home/",
            "/etc",
            "/run/carrel",
            "/a,b",
            "/a:b",
        ];
        for path in refused {
            assert!(fault(path).is_some(), "{path:?} was accepted");
        }
    }
}
