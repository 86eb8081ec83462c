//! The stock client of the protocol, which others wrote.
//!
//! pip fetches it. Without Python, pip and its packages the test says SKIPPED; the other tests hold the same rules by a
//! plain client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use timeloom_inference::pool::Policy;

use crate::serving::{KEY, TestServer};

/// Checks that must hold.
const CHECKS: usize = 17;

/// The folder of the test's own files.
fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/triton")
}

/// A Python with the client in it, or why there is none. It is kept where the build keeps such things, until other packages
/// are wanted: to fetch them takes longer than all else here.
fn python() -> Result<PathBuf, String> {
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("triton-client");
    let (python, stamp) = (folder.join("bin/python"), folder.join("fetched"));
    let requirements = files().join("requirements.txt");
    let wanted = fs::read(&requirements).unwrap();
    if fs::read(&stamp).is_ok_and(|fetched| fetched == wanted) {
        return Ok(python);
    }
    run(Path::new("python3"), &["-m", "venv", "--clear", &folder.to_string_lossy()])?;
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "-r"];
    run(&python, &[&install[..], &[&requirements.to_string_lossy()]].concat())?;
    fs::write(&stamp, wanted).unwrap();
    Ok(python)
}

#[test]
fn the_stock_client_finds_all_that_it_knows() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            println!("SKIPPED: {why}");
            return;
        }
    };
    let server = TestServer::start(Policy::default());
    let output = Command::new(python)
        .arg(files().join("checks.py"))
        .args([&*server.address, KEY])
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.lines().filter(|line| line.starts_with("held ")).count(), CHECKS, "{said}");
}
