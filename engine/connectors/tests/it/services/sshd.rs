//! A server of SSH, as Debian's package `openssh-server` has it, that lets in whoever runs the tests by a key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Program, free_port};

/// A server.
pub(crate) struct Sshd {
    _program: Program,
    /// A folder for files.
    pub folder: TempDir,
    /// Where it listens.
    pub port: u16,
    user: String,
    key: String,
    /// The key by which it is known.
    pub host_key: String,
}

impl Sshd {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// With more lines of its configuration.
    pub fn start_with(more: &str) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let path = |name: &str| folder.path().join(name);
        key(&path("host"), "ed25519");
        key(&path("client"), "ed25519");
        fs::copy(path("client.pub"), path("authorized")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\nSubsystem sftp internal-sftp\n{more}",
            path("host").display(),
            path("authorized").display()
        );
        fs::write(path("config"), config).unwrap();
        // It looks for this folder however it is configured.
        let _ = fs::create_dir_all("/run/sshd")
            .and_then(|()| fs::set_permissions("/run/sshd", fs::Permissions::from_mode(0o755)));
        fs::create_dir(path("files")).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(path("config"));
        let program = Program::start(&mut command, port, &path("log"));
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned();
        let (key, host_key) =
            (fs::read_to_string(path("client")).unwrap(), fs::read_to_string(path("host.pub")).unwrap());
        Self { _program: program, folder, port, user, key, host_key }
    }

    /// The fields of a credential for it.
    pub fn fields(&self) -> Value {
        json!({
            "host": "localhost", "port": self.port, "username": self.user, "privateKey": self.key,
            "hostKey": self.host_key,
        })
    }

    /// The same as fields of the tunnel of a database's credential.
    pub fn tunnel(&self) -> Value {
        json!({
            "sshTunnel": true, "sshHost": "localhost", "sshPort": self.port, "sshUser": self.user,
            "sshAuthenticateWith": "privateKey", "privateKey": self.key, "sshHostKey": self.host_key,
        })
    }
}

/// Makes a key.
pub(crate) fn key(path: &Path, kind: &str) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(path).stdin(Stdio::null()).status();
    assert!(made.is_ok_and(|status| status.success()), "OpenSSH's programs are missing: run `make setup`");
}
