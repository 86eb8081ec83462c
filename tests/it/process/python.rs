//! Programs of others for Python, as the registry has them: each set lies in a folder of its own, kept until another is wanted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Python with the packages that a file names, by their hashes, or why there is none.
pub(super) fn with(name: &str, requirements: &Path) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (python, stamp) = (folder.join("bin/python"), folder.join("fetched"));
    let wanted = fs::read(requirements).unwrap();
    // Tests are processes of their own: one of those that want the same set fetches it, and the others wait.
    let alone = File::create(folder.with_extension("lock")).unwrap();
    alone.lock().unwrap();
    if fs::read(&stamp).is_ok_and(|fetched| fetched == wanted) {
        return Ok(python);
    }
    run(Path::new("python3"), &["-m", "venv", "--clear", &folder.to_string_lossy()], Path::new("."))?;
    let install =
        ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"];
    run(&python, &[&install[..], &["-r", &requirements.to_string_lossy()]].concat(), Path::new("."))?;
    fs::write(&stamp, wanted).unwrap();
    Ok(python)
}

/// Runs a program to its end; what it said where it failed.
pub(super) fn run(program: &Path, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Runs a program of checks to its end: it does not fail, and says of so many that they held.
#[track_caller]
pub(super) fn holds(program: &Path, arguments: &[&str], folder: &Path, checks: usize) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.lines().filter(|line| line.starts_with("held ")).count(), checks, "{said}\n{complained}");
}
