//! The rules of `docs/ARCHITECTURE.md` that a machine can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that decide and never do: no runtime, no database, no engine.
const PURE: &[&str] =
    &["platform-types", "supervisor-config", "supervisor-plan", "agent-core", "agent-policy", "gate-rules"];
const IMPURE_DEPENDENCIES: &[&str] = &["tokio", "hyper", "axum", "rusqlite", "bollard", "nix", "tracing", "getrandom"];

/// Each foreign SDK has one crate.
const ONE_CRATE_PER_SDK: &[(&str, &[&str])] = &[
    ("bollard", &["supervisor-docker"]),
    ("rusqlite", &["supervisor-store", "agent-store", "backup"]),
    ("rustic_core", &["backup"]),
    ("russh", &["spark"]),
    ("comrak", &["agent"]),
    // What a device signed is checked by each process that acts on it; none of them trusts another.
    ("ed25519-dalek", &["gate", "spark", "supervisor"]),
    ("axum", &["platform-kit", "supervisor", "agent", "gate", "spark", "backup", "agent-llm"]),
];

/// What a pure crate's source never says.
const IMPURE_WORDS: &[&str] =
    &["std::fs", "std::net", "std::process", "std::thread", "SystemTime", "Instant::now", "std::env"];

const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".config",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "agent",
    "clippy.toml",
    "compose",
    "deploy",
    "docs",
    "images",
    "rustfmt.toml",
    "sidecars",
    "supervisor",
    "tests",
];

struct Workspace {
    root: PathBuf,
    /// Crate to its folder, relative to the root.
    folders: BTreeMap<String, String>,
    /// Crate to its direct, non-dev dependencies.
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

fn workspace() -> Workspace {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let root = PathBuf::from(metadata["workspace_root"].as_str().expect("a root"));
    let mut folders = BTreeMap::new();
    let mut dependencies = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name").to_owned();
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let folder = manifest.parent().and_then(|path| path.strip_prefix(&root).ok()).expect("below the root");
        folders.insert(name.clone(), folder.display().to_string());
        let direct = package["dependencies"].as_array().expect("dependencies").iter();
        let direct = direct.filter(|dependency| dependency["kind"].as_str() != Some("dev"));
        dependencies.insert(name, direct.map(|d| d["name"].as_str().expect("a name").to_owned()).collect());
    }
    Workspace { root, folders, dependencies }
}

fn room(workspace: &Workspace, name: &str) -> Option<String> {
    let folder = workspace.folders.get(name)?;
    folder.split('/').next().map(str::to_owned)
}

#[test]
fn a_folder_is_named_like_its_crate() {
    for (name, folder) in &workspace().folders {
        assert_eq!(Path::new(folder).file_name().and_then(|n| n.to_str()), Some(name.as_str()), "{folder}");
    }
}

#[test]
fn supervisor_agent_and_sidecars_never_import_each_other() {
    let workspace = workspace();
    for (name, dependencies) in &workspace.dependencies {
        let Some(own) = room(&workspace, name) else { continue };
        for dependency in dependencies {
            let Some(other) = room(&workspace, dependency) else { continue };
            let allowed = dependency.starts_with("platform-")
                || own == "tests"
                || (own == other && own != "sidecars")
                || (own == "sidecars" && dependency.starts_with(name.as_str()));
            assert!(allowed, "{name} ({own}) imports {dependency} ({other})");
        }
    }
}

#[test]
fn pure_crates_know_no_runtime_and_no_file_system() {
    let workspace = workspace();
    for name in PURE {
        for dependency in IMPURE_DEPENDENCIES {
            assert!(!workspace.dependencies[*name].contains(*dependency), "{name} depends on {dependency}");
        }
        for file in rust_files(&workspace.root.join(&workspace.folders[*name]).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in IMPURE_WORDS {
                assert!(!text.contains(word), "{} says {word}", file.display());
            }
        }
    }
}

#[test]
fn each_foreign_sdk_has_its_crate() {
    let workspace = workspace();
    for (sdk, crates) in ONE_CRATE_PER_SDK {
        for (name, dependencies) in &workspace.dependencies {
            let allowed = crates.contains(&name.as_str());
            assert!(allowed || !dependencies.contains(*sdk), "{name} imports {sdk}; only {crates:?} may");
        }
    }
}

#[test]
fn the_top_level_is_fixed() {
    let root = workspace().root;
    let tracked = Command::new("git").args(["ls-files"]).current_dir(&root).output().expect("git runs");
    let tracked = String::from_utf8(tracked.stdout).expect("UTF-8 names");
    let entries: BTreeSet<&str> = tracked.lines().filter_map(|line| line.split('/').next()).collect();
    for entry in entries {
        assert!(
            TOP_LEVEL.contains(&entry),
            "{entry} is new at the top level: add it to the rules with a decision, or move it"
        );
    }
}

#[test]
fn every_crate_says_what_it_is() {
    let workspace = workspace();
    for folder in workspace.folders.values() {
        let folder = workspace.root.join(folder);
        assert!(folder.join("README.md").exists(), "{} has no README.md", folder.display());
    }
}

#[test]
fn sleeps_and_ignored_tests_are_absent() {
    let workspace = workspace();
    for folder in workspace.folders.values() {
        for file in rust_files(&workspace.root.join(folder)) {
            if file.ends_with("architecture/tests/rules.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).expect("a source file");
            assert!(!text.contains("#[ignore"), "{} ignores a test", file.display());
            assert!(!text.contains("thread::sleep"), "{} sleeps; wait for a condition", file.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}
