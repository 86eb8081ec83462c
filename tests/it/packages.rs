//! What cargo knows about the packages of this workspace.

use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::tree::root;

/// What cargo knows about this workspace, built for this machine.
pub(crate) fn metadata() -> Metadata {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(rustc.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--filter-platform".to_owned(), host.to_owned()])
        .exec()
        .unwrap()
}
