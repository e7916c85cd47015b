//! The stock restic of Debian lists, checks and restores what we wrote.

mod common;

use std::process::Command;

use common::{Bench, KEY};

fn restic(bench: &Bench, arguments: &[&str]) -> String {
    let output = Command::new("restic")
        .args(["--no-cache", "-r"])
        .arg(bench.path("repository"))
        .args(arguments)
        .env("RESTIC_PASSWORD", KEY)
        .output()
        .expect("restic is installed: apt-get install restic");
    assert!(output.status.success(), "restic {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("restic prints UTF-8")
}

#[test]
fn stock_restic_lists_checks_and_restores_ours() {
    let bench = Bench::new();
    let snapshot = bench.snapshot_of("personal").unwrap();
    let listed: serde_json::Value = serde_json::from_str(&restic(&bench, &["snapshots", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], snapshot.id.as_str());
    assert_eq!(listed[0]["hostname"], "personal");
    assert!(restic(&bench, &["check", "--read-data"]).contains("no errors were found"));
    let out = bench.path("by-restic");
    restic(&bench, &["restore", "latest", "--target", out.to_str().unwrap()]);
    let mut restored = bench.tree("by-restic/state");
    let manifest = restored.iter().position(|(path, _)| path == "manifest.json").expect("the manifest is there");
    restored.remove(manifest);
    assert_eq!(restored, bench.tree("staging"));
    assert_eq!(bench.restore("personal", "latest", "by-us").unwrap().snapshot, snapshot.id);
}

#[test]
fn stock_restic_and_our_check_agree() {
    let bench = Bench::new();
    bench.snapshot_of("personal").unwrap();
    assert_eq!(bench.check(true).unwrap().problems, Vec::<String>::new());
    let pack = bench.flip();
    let output = Command::new("restic")
        .args(["--no-cache", "-r"])
        .arg(bench.path("repository"))
        .args(["check", "--read-data"])
        .env("RESTIC_PASSWORD", KEY)
        .output()
        .expect("restic is installed: apt-get install restic");
    assert!(!output.status.success(), "restic finds nothing in {pack}");
    assert!(!bench.check(true).unwrap().problems.is_empty());
}
