//! What people read about files that are wrong: one snapshot for each file in `tests/broken`.

mod surroundings;

use std::fmt::Write as _;
use std::path::Path;

use supervisor_config::read;

#[test]
fn reports_of_broken_files() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "the broken files are there");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        insta::assert_snapshot!(name, report(&text));
    }
}

fn report(text: &str) -> String {
    let reading = read(text, &surroundings::rich());
    let errors = reading.findings.iter().filter(|finding| finding.is_error()).count();
    assert_eq!(reading.config.is_none(), errors > 0, "a configuration comes exactly when there is no error");
    let mut report = String::new();
    for finding in &reading.findings {
        writeln!(report, "{finding}").expect("a String takes everything");
    }
    let outcome = if reading.config.is_some() { "accepted" } else { "refused" };
    write!(report, "{errors} errors, {} warnings: {outcome}", reading.findings.len() - errors)
        .expect("a String takes everything");
    report
}

#[test]
fn no_report_shows_a_secret_or_a_control_character() {
    for file in ["wrong-types", "spark-credentials", "addresses", "bad-names", "unknown-keys"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken").join(file).with_extension("toml");
        let report = report(&std::fs::read_to_string(path).unwrap());
        assert!(!report.contains("hunter2") && !report.contains("sk-this"), "{report}");
        assert!(!report.chars().any(|character| character.is_control() && character != '\n'), "{report:?}");
    }
}
