//! Servers of the Python registry, fetched by their hashes: S3 by moto, FTP by pyftpdlib.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use super::{Program, free_port};

/// A server of Python.
pub(crate) struct Python {
    _program: Program,
    /// What it may write.
    pub folder: TempDir,
    /// Where it listens.
    pub port: u16,
}

impl Python {
    /// S3.
    pub fn s3() -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let mut command = Command::new(python());
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let program = Program::start(&mut command, port, &folder.path().join("log"));
        Self { _program: program, folder, port }
    }

    /// FTP, in one of the ways of the script: `plain`, `list`, `tls`.
    pub fn ftp(way: &str, certificate: Option<&Path>) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        fs::create_dir(folder.path().join("files")).unwrap();
        let mut command = Command::new(python());
        command.arg(scripts().join("ftp.py")).arg(way).arg(port.to_string()).arg(folder.path().join("files"));
        command.args(certificate);
        let program = Program::start(&mut command, port, &folder.path().join("log"));
        Self { _program: program, folder, port }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python")
}

/// A Python with the packages, kept until others are wanted.
fn python() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _turn = MAKING.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("connectors-python");
    // Other test processes make it too: one at a time.
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (python, stamp) = (folder.join("bin/python"), folder.join("fetched"));
    let requirements = scripts().join("requirements.txt");
    let wanted = fs::read(&requirements).unwrap();
    if fs::read(&stamp).is_ok_and(|fetched| fetched == wanted) {
        return python;
    }
    run(Path::new("python3"), &["-m", "venv", "--clear", &folder.to_string_lossy()]);
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--require-hashes", "-r"];
    run(&python, &[&install[..], &[&requirements.to_string_lossy()]].concat());
    fs::write(&stamp, wanted).unwrap();
    python
}

fn run(program: &Path, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
}
