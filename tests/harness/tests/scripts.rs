//! Each file of `tests/planner-scripts` produces the history that is written in it. `UPDATE=1` writes it anew.

use std::path::{Path, PathBuf};

use harness::script::Script;

/// Below this somebody deleted scripts.
const FEWEST: usize = 15;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../planner-scripts")
}

#[test]
fn scripts_produce_what_is_written_in_them() {
    let update = is_update_asked();
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(update || scripts.len() >= FEWEST, "only {} scripts", scripts.len());
    let mut wrong = Vec::new();
    for path in scripts {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let written = std::fs::read_to_string(&path).expect("a script");
        match Script::run(&written) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(produced) if produced == written => {}
            Ok(produced) if update => std::fs::write(&path, produced).expect("writes the script"),
            Ok(produced) => wrong.push(format!("{name}: {}", first_difference(&written, &produced))),
        }
    }
    assert!(wrong.is_empty(), "run with UPDATE=1 to write them anew, and read the difference:\n{}", wrong.join("\n"));
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the platform")]
fn is_update_asked() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn first_difference(written: &str, produced: &str) -> String {
    let mut lines = written.lines().zip(produced.lines()).enumerate();
    let different = lines.find(|(_, (one, other))| one != other);
    match different {
        Some((number, (one, other))) => format!("line {}:\n  written:  {one}\n  produced: {other}", number + 1),
        None => format!("{} lines written, {} produced", written.lines().count(), produced.lines().count()),
    }
}
