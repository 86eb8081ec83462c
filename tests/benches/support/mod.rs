//! What the benches of the whole product share: the program in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program as it is released; where `PROGRAM` names one, that.
#[expect(clippy::disallowed_methods, reason = "a bench is told by its environment")]
pub(crate) fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("PROGRAM") {
        return path.into();
    }
    let mut cargo = Command::new("cargo");
    // Cargo tells a bench its package, and a dependency builds itself anew whenever that differs: the program would be
    // built twice, once for the bench and once for whoever builds it by hand.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    let built = cargo
        .args(["build", "--release", "--package", "timeloom-server", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the program does not build");
    String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "timeloom")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo does not name the program"))
}

/// Starts the program over `data` and waits until it says where it listens.
pub(crate) fn serve(program: &Path, data: &Path, more: &[&str]) -> Server {
    let mut child = Command::new(program)
        .args(["serve", "--sign-in", "off", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("serves on http://") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the server ended");
    }
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    std::thread::spawn(move || lines.lines().for_each(drop));
    Server { child, address }
}
