//! Image references: `[registry[:port]/]path[:tag][@sha256:digest]`.

/// Longest reference an engine accepts, with room for a digest.
const MAX_LENGTH: usize = 512;
const MAX_TAG: usize = 128;

/// Says what is wrong with an image reference; `None` means it is acceptable.
pub(crate) fn fault(image: &str) -> Option<String> {
    if image.is_empty() {
        return Some("is empty".to_owned());
    }
    if image.len() > MAX_LENGTH {
        return Some(format!(
            "has {} bytes, at most {MAX_LENGTH} are allowed",
            image.len()
        ));
    }
    let (reference, digest) = match image.split_once('@') {
        Some((reference, digest)) => (reference, Some(digest)),
        None => (image, None),
    };
    let (path, tag) = split_tag(reference);
    path_fault(path)
        .or_else(|| digest.and_then(digest_fault))
        .or_else(|| tag_fault(tag, digest.is_some()))
}

/// The last colon begins a tag unless a slash follows it: then it begins a port.
fn split_tag(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (reference, None),
    }
}

fn path_fault(path: &str) -> Option<String> {
    let mut components = path.split('/').peekable();
    let first = components.peek().copied().unwrap_or_default();
    if is_registry(first) && path.contains('/') {
        components.next();
    }
    components
        .find(|component| !is_path_component(component))
        .map(|component| format!("has an illegal path component {component:?}"))
}

fn is_registry(component: &str) -> bool {
    let (host, port) = component.split_once(':').unwrap_or((component, "1"));
    (component == "localhost" || component.contains(['.', ':']))
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_path_component(component: &str) -> bool {
    let edges = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    edges(component.chars().next())
        && edges(component.chars().next_back())
        && component
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
}

fn digest_fault(digest: &str) -> Option<String> {
    let sound = digest.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'))
    });
    (!sound).then(|| "has a digest that is not sha256 with 64 hex digits".to_owned())
}

/// A version of an exam is immutable, so its image must not move under it.
fn tag_fault(tag: Option<&str>, has_digest: bool) -> Option<String> {
    match tag {
        None if has_digest => None,
        None => Some("has neither tag nor digest".to_owned()),
        Some("latest") => Some("has the tag latest, which moves".to_owned()),
        Some(tag) if is_tag(tag) => None,
        Some(tag) => Some(format!("has an illegal tag {tag:?}")),
    }
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= MAX_TAG
        && tag
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn ordinary_references_are_accepted() {
        let digest = format!("localhost/exam@sha256:{}", "a".repeat(64));
        for image in [
            "localhost/exam:1",
            "exam:1.2-rc",
            "reg.example:5000/a/b_c:v1",
            &digest,
        ] {
            assert_eq!(fault(image), None, "{image}");
        }
    }

    #[test]
    fn moving_and_malformed_references_are_refused() {
        let long = format!("a/{}:1", "b".repeat(600));
        let refused = [
            "",
            "exam",
            "exam:latest",
            "Exam:1",
            "exam:",
            "exam: 1",
            "exam:1\n",
            "/exam:1",
            "a//b:1",
            "exam@sha256:abc",
            "reg:99999/exam:1",
            "exam:1;rm",
            "ex am:1",
            "-exam:1",
            &long,
        ];
        for image in refused {
            assert!(fault(image).is_some(), "{image:?} was accepted");
        }
    }
}
