//! The documents: their links lead somewhere, and what they promise about files is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tree::{files, read, root};

/// Targets of the links of a Markdown file, those to the outside left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

#[test]
fn links_between_documents_lead_to_files() {
    let mut broken = Vec::new();
    for document in files(&[".md"]) {
        let text = read(&document);
        let folder = document.parent().unwrap_or(Path::new(""));
        let dead = links(&text).filter(|target| !root().join(folder).join(target).exists());
        broken.extend(dead.map(|target| format!("{} -> {target}", document.display())));
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn the_documents_that_every_reader_looks_for_are_there() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "STYLE.md",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "docs/accounts.md",
        "docs/agents.md",
        "docs/audit.md",
        "docs/backup.md",
        "docs/binary-data.md",
        "docs/cli.md",
        "docs/durability.md",
        "docs/expressions.md",
        "docs/graphql.md",
        "docs/nodes.md",
        "docs/performance.md",
        "docs/running.md",
        "docs/service-nodes.md",
        "docs/time-travel.md",
    ] {
        assert!(read(name).len() > 400, "{name} says too little");
    }
}

#[test]
fn decisions_are_numbered_without_gaps() {
    let decisions: Vec<PathBuf> =
        files(&[".md"]).into_iter().filter(|path| path.starts_with("docs/decisions")).collect();
    for (index, path) in decisions.iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{:04}-", index + 1)), "{name} is not number {}", index + 1);
        for part in ["## Context", "## Decision", "## Consequences"] {
            assert!(read(path).contains(part), "{name} lacks '{part}'");
        }
    }
    assert!(decisions.len() >= 5);
}

#[test]
fn make_explains_every_target() {
    let makefile = read("Makefile");
    let phony: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.strip_prefix(".PHONY:")).flat_map(str::split_whitespace).collect();
    let help = Command::new("make").arg("-s").arg("help").current_dir(root()).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for target in ["setup", "build", "run", "test", "bench", "fmt", "lint", "clean", "help"] {
        assert!(phony.contains(target), "the Makefile has no target '{target}'");
        assert!(help.contains(&format!("make {target} ")), "`make help` does not tell about '{target}':\n{help}");
    }
}

#[test]
fn every_crate_of_the_workspace_is_in_the_architecture() {
    let architecture = read("ARCHITECTURE.md");
    for manifest in files(&["Cargo.toml"]) {
        let folder = manifest.parent().unwrap().display().to_string();
        assert!(
            folder.is_empty() || architecture.contains(&format!("`{folder}/`")),
            "ARCHITECTURE.md does not tell about `{folder}/`"
        );
    }
}
