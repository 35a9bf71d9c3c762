//! Recipe and Dockerfile stand beside each other and say the same.

use super::*;
use crate::images::NAMES;

/// Instructions that end up in an image's settings.
const SETTINGS: [&str; 8] = [
    "ENV",
    "WORKDIR",
    "USER",
    "CMD",
    "ENTRYPOINT",
    "VOLUME",
    "EXPOSE",
    "STOPSIGNAL",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn recipe(name: &str) -> Recipe {
    Recipe::load(&root().join("deploy/images").join(name)).unwrap()
}

/// The Dockerfile's last stage: the ones before it leave only what is copied out of them.
fn last_stage(recipe: &Recipe) -> Vec<String> {
    let text = fs::read_to_string(recipe.folder.join("Dockerfile")).unwrap();
    let joined = text.replace("\\\n", " ");
    let lines: Vec<String> = joined.lines().map(str::to_owned).collect();
    let from = lines.iter().rposition(|line| line.starts_with("FROM "));
    lines[from.unwrap()..].to_vec()
}

/// The words after `apt-get install`'s flags, up to the end of that instruction.
fn installed_by(stage: &[String]) -> Option<Vec<String>> {
    let line = stage.iter().find(|line| line.contains("apt-get install"))?;
    let (_, words) = line.split_once("apt-get install").unwrap();
    let mut words = words.split_whitespace();
    let mut packages = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-o" => drop(words.next()),
            "&&" => break,
            word if word.starts_with('-') => {}
            word => packages.push(word.to_owned()),
        }
    }
    Some(packages)
}

#[test]
fn recipe_and_dockerfile_install_the_same_packages() {
    for name in NAMES {
        let recipe = recipe(name);
        let installed = installed_by(&last_stage(&recipe));
        assert_eq!(installed, recipe.packages, "{name}");
    }
}

#[test]
fn recipe_and_dockerfile_begin_with_the_same_nothing() {
    for name in NAMES {
        let recipe = recipe(name);
        let from_scratch = last_stage(&recipe)[0] == "FROM scratch";
        assert_eq!(from_scratch, recipe.packages.is_none(), "{name}");
    }
}

#[test]
fn recipe_and_dockerfile_end_in_the_same_settings() {
    for name in NAMES {
        let recipe = recipe(name);
        let settings: Vec<String> = last_stage(&recipe)
            .into_iter()
            .filter(|line| SETTINGS.contains(&line.split(' ').next().unwrap_or_default()))
            .collect();
        assert_eq!(settings, recipe.changes, "{name}");
    }
}

#[test]
fn recipe_and_dockerfile_put_the_same_products_into_the_same_places() {
    for name in NAMES {
        let recipe = recipe(name);
        let copied: Vec<String> = last_stage(&recipe)
            .iter()
            .filter(|line| line.starts_with("COPY --from="))
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect();
        let built: Vec<String> = recipe.built.keys().cloned().collect();
        assert_eq!(copied, built, "{name}");
    }
}

#[test]
fn a_dockerfile_compiles_with_the_workspace_s_own_toolchain() {
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let channel = toolchain.split('"').nth(1).unwrap();
    let (minor, _) = channel.rsplit_once('.').unwrap();
    for name in NAMES {
        let text = fs::read_to_string(recipe(name).folder.join("Dockerfile")).unwrap();
        for line in text.lines().filter(|line| line.starts_with("FROM rust:")) {
            assert!(
                line.starts_with(&format!("FROM rust:{minor}-")),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn packages_are_listed_in_order_and_once() {
    for name in NAMES {
        let packages = recipe(name).packages.unwrap_or_default();
        assert!(packages.is_sorted_by(|a, b| a < b), "{name}: {packages:?}");
    }
}

#[test]
fn products_are_named_as_what_they_are() {
    let built = recipe("carrel").built;
    assert_eq!(built["/usr/share/carrel/page"], Product::Page);
    assert_eq!(
        built["/usr/local/bin/carrel-api"],
        Product::Program("carrel-api".to_owned())
    );
    assert_eq!(recipe("keeper").built["/keeper"], Product::Keeper);
}

#[test]
fn a_changed_file_changes_the_tag() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "image.json",
        r#"{"repository":"localhost/x","packages":[],"changes":[]}"#,
    );
    write("setup.sh", "true");
    let tag = || {
        let recipe = Recipe::load(folder.path()).unwrap();
        recipe.fingerprint(&Sources::Dockerfile).unwrap()
    };
    let before = tag();
    assert_eq!(before, tag());
    write("setup.sh", "false");
    assert_ne!(before, tag());
}
