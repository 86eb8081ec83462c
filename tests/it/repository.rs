//! What holds for every source file.

use std::path::Path;

use crate::tree::{files, read};

/// Most lines that a source file may have.
const LINES_MAX: usize = 800;

const SOURCES: [&str; 7] = [".rs", ".js", ".mjs", ".ts", ".py", ".sh", "Makefile"];

#[test]
fn no_source_file_is_longer_than_the_limit() {
    let long: Vec<String> = files(&SOURCES)
        .iter()
        .map(|path| (path, read(path).lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert_eq!(long, Vec::<String>::new(), "split these by idea: at most {LINES_MAX} lines a file");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent = |path: &Path| {
        let text = read(path);
        let first = text.lines().find(|line| !line.is_empty() && !line.starts_with("#!"));
        !first.is_some_and(|line| line.starts_with("//!") && line.len() > 12)
    };
    let found: Vec<_> = files(&[".rs"]).into_iter().filter(|path| silent(path)).collect();
    assert_eq!(found, Vec::<std::path::PathBuf>::new(), "begin these files with `//!` and one sentence");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not hold the words itself.
    let words = ["TO", "FIX", "todo", "unimplemented"].map(|word| match word {
        "TO" => "TODO".to_owned(),
        "FIX" => "FIXME".to_owned(),
        other => format!("{other}!"),
    });
    let mut found = Vec::new();
    for path in files(&SOURCES).iter().filter(|path| !path.ends_with("tests/it/repository.rs")) {
        for (number, line) in read(path).lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new(), "do it, or write it down as an issue");
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let allow = ["#[al", "#![al"].map(|start| format!("{start}low("));
    let mut found = Vec::new();
    for path in files(&[".rs"]) {
        for (number, line) in read(&path).lines().enumerate() {
            if allow.iter().any(|attribute| line.trim_start().starts_with(attribute.as_str())) {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new(), "write #[expect(lint, reason = \"…\")] instead");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let lax: Vec<_> = files(&["Cargo.toml"])
        .into_iter()
        .filter(|path| !read(path).replace(' ', "").contains("[lints]\nworkspace=true"))
        .collect();
    // Fuzz targets are a workspace of their own.
    assert_eq!(lax, [Path::new("Cargo.toml"), Path::new("fuzz/Cargo.toml")], "add `[lints] workspace = true`");
}
