//! Finds PostgreSQL's programs and runs them as a user that they accept: they refuse to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian puts the programs, in a folder for every version.
const VERSIONS_FOLDER: &str = "/usr/lib/postgresql";

/// The programs of the newest version on this machine.
fn folder() -> PathBuf {
    let versions = fs::read_dir(VERSIONS_FOLDER).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let number = version.file_name().to_string_lossy().parse().ok()?;
            let programs = version.path().join("bin");
            programs.join("initdb").exists().then_some((number, programs))
        })
        .collect();
    found.sort();
    match found.pop() {
        Some((_, programs)) => programs,
        None => panic!("PostgreSQL's server is missing: run `make setup`, or install the package `postgresql`"),
    }
}

/// User and group to run as: ourselves, or `postgres` for root.
fn user() -> Option<(u32, u32)> {
    let ourselves = fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid());
    if ourselves != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users of this machine");
    let fields: Vec<&str> = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&"postgres"))
        .expect("the user postgres, which the package `postgresql` makes");
    let number = |index: usize| fields.get(index).and_then(|field| field.parse().ok()).expect("a number");
    Some((number(2), number(3)))
}

/// Makes a folder that the programs may write.
pub(crate) fn make_folder(path: &Path) {
    fs::create_dir_all(path).unwrap();
    if let Some((user, group)) = user() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

/// Writes a file that nobody but the programs may read.
pub(crate) fn write_secret(path: &Path, content: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    if let Some((user, group)) = user() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

/// One of the programs, as a user that it accepts.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(folder().join(name));
    if let Some((user, group)) = user() {
        command.uid(user).gid(group);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Makes a cluster in `data`, whose parent the programs may write.
pub(crate) fn initdb(data: &Path) {
    let output = program("initdb")
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--pgdata"])
        .arg(data)
        .output()
        .unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
}

/// The server in `data`, with its socket in `socket`; `settings` are `name=value`.
pub(crate) fn server(data: &Path, socket: &Path, log: &Path, settings: &[&str]) -> Command {
    let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = program("postgres");
    command.arg("-D").arg(data).arg("-k").arg(socket);
    let always = ["listen_addresses=", "max_connections=400", "shared_buffers=64MB", "log_min_messages=warning"];
    for setting in always.iter().chain(settings) {
        command.args(["-c", setting]);
    }
    command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
    command
}

/// The port that a server has by which its socket is called.
pub(crate) const PORT: u16 = 5432;

/// The address of `database` in the server whose socket is in `socket`.
pub(crate) fn url(socket: &Path, port: u16, database: &str) -> String {
    let host = socket.to_string_lossy().replace('/', "%2F");
    format!("postgresql://postgres@{host}:{port}/{database}")
}
