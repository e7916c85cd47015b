//! Snapshot and restore as the supervisor runs them: whole processes over real files.

mod common;

use std::fs;

use common::Bench;

#[test]
fn what_went_in_comes_out() {
    let bench = Bench::new();
    let snapshot = bench.snapshot_of("personal").unwrap();
    assert!(snapshot.complete);
    assert_eq!(snapshot.files, 4, "the manifest is not the profile's");
    let restored = bench.restore("personal", "latest", "out").unwrap();
    assert_eq!((restored.snapshot.as_str(), restored.files), (snapshot.id.as_str(), 4));
    assert!(restored.damaged.is_empty());
    assert_eq!(bench.tree("out"), bench.tree("staging"));
}

#[test]
fn modes_and_times_come_back() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let bench = Bench::new();
    let note = bench.path("staging/workspace/notes/tee.md");
    fs::set_permissions(&note, fs::Permissions::from_mode(0o640)).unwrap();
    bench.snapshot_of("personal").unwrap();
    bench.restore("personal", "latest", "out").unwrap();
    let [before, after] = [note, bench.path("out/workspace/notes/tee.md")].map(|path| fs::metadata(path).unwrap());
    assert_eq!((after.mode(), after.mtime(), after.mtime_nsec()), (before.mode(), before.mtime(), before.mtime_nsec()));
}

#[test]
fn links_are_left_out_and_nothing_behind_them_is_read() {
    let bench = Bench::new();
    std::os::unix::fs::symlink("/etc/shadow", bench.path("staging/workspace/shadow")).unwrap();
    std::os::unix::fs::symlink("/etc", bench.path("staging/etc")).unwrap();
    assert_eq!(bench.snapshot_of("personal").unwrap().files, 4);
    bench.restore("personal", "latest", "out").unwrap();
    assert!(!bench.path("out/workspace/shadow").exists() && !bench.path("out/etc").exists());
}

#[test]
fn a_damaged_or_missing_database_is_no_snapshot() {
    let bench = Bench::new();
    let database = bench.path("staging/agent.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[4096..].fill(0xff);
    fs::write(&database, bytes).unwrap();
    assert!(bench.snapshot_of("personal").unwrap_err().contains("damaged"));
    fs::remove_file(&database).unwrap();
    assert!(bench.snapshot_of("personal").unwrap_err().contains("no database"));
    assert!(bench.restore("personal", "latest", "out").unwrap_err().contains("botctl backup now personal"));
}

#[test]
fn another_profile_cannot_be_restored() {
    let bench = Bench::new();
    let snapshot = bench.snapshot_of("personal").unwrap();
    assert!(bench.restore("ops", &snapshot.id, "out").unwrap_err().contains("belongs to the profile personal"));
    assert!(bench.restore("ops", "latest", "out2").unwrap_err().contains("no complete snapshot"));
}

#[test]
fn a_full_target_a_wrong_key_and_a_wrong_id_say_so() {
    let bench = Bench::new();
    bench.snapshot_of("personal").unwrap();
    fs::create_dir(bench.path("out")).unwrap();
    fs::write(bench.path("out/mine"), "keep").unwrap();
    assert!(bench.restore("personal", "latest", "out").unwrap_err().contains("not empty"));
    assert_eq!(fs::read_to_string(bench.path("out/mine")).unwrap(), "keep");
    assert!(bench.restore("personal", "0123456789", "new").unwrap_err().contains("no snapshot begins with"));
    assert!(bench.restore("personal", "01", "new").unwrap_err().contains("at least 6"));
    Bench::write_key(&bench.path("key"), "wrong");
    bench.restore("personal", "latest", "new").unwrap_err();
    assert!(!bench.path("new").exists());
}

#[test]
fn one_flipped_bit_is_named_and_the_rest_comes_back() {
    let bench = Bench::new();
    bench.snapshot_of("personal").unwrap();
    bench.flip();
    let restored = bench.restore("personal", "latest", "out").unwrap();
    assert_eq!(restored.damaged, ["workspace/large.bin"]);
    let intact: Vec<_> = bench.tree("staging").into_iter().filter(|(path, _)| !path.ends_with("large.bin")).collect();
    assert_eq!(bench.tree("out"), intact);
}

#[test]
fn the_newest_complete_snapshot_is_latest_and_history_stays() {
    let bench = Bench::new();
    let first = bench.snapshot_of("personal").unwrap();
    bench.write_database(2);
    let second = bench.snapshot_of("personal").unwrap();
    assert!(second.added_bytes.unwrap() < 200_000, "what did not change is not stored again: {second:?}");
    assert_eq!(bench.restore("personal", "latest", "new").unwrap().snapshot, second.id);
    assert_eq!(bench.restore("personal", &first.id[..8], "old").unwrap().snapshot, first.id);
    assert_ne!(bench.tree("old"), bench.tree("new"));
}

#[test]
fn a_check_finds_one_flipped_bit_and_names_pack_and_file() {
    let bench = Bench::new();
    assert!(bench.check(false).unwrap_err().contains("no repository yet"));
    bench.snapshot_of("personal").unwrap();
    for all_data in [false, true] {
        let sound = bench.check(all_data).unwrap();
        assert_eq!((sound.snapshots, sound.problems, sound.damaged), (1, vec![], vec![]));
    }
    let pack = bench.flip();
    assert_eq!(bench.check(false).unwrap().problems, Vec::<String>::new(), "only the data tells");
    let found = bench.check(true).unwrap();
    let id = pack.rsplit('/').next().unwrap();
    assert!(found.problems.iter().any(|problem| problem.contains(&id[..8])), "{pack}: {:?}", found.problems);
    assert_eq!(found.damaged, ["workspace/large.bin"]);
    // What is missing altogether is found without reading.
    fs::remove_file(bench.path("repository").join(&pack)).unwrap();
    assert!(!bench.check(false).unwrap().problems.is_empty());
}

#[test]
fn a_damaged_index_or_snapshot_is_found_without_the_data() {
    for folder in ["index", "snapshots"] {
        let bench = Bench::new();
        bench.snapshot_of("personal").unwrap();
        let (path, mut bytes) = bench.tree(&format!("repository/{folder}")).remove(0);
        bytes[40] ^= 1;
        let path = bench.path("repository").join(folder).join(path);
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        fs::set_permissions(&path, permissions).unwrap();
        fs::write(&path, bytes).unwrap();
        assert!(!bench.check(false).unwrap().problems.is_empty(), "{folder}");
    }
}
