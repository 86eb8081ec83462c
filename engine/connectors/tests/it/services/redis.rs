//! Redis, as Debian's package `redis-server` has it.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::certificates::Certificate;
use super::{Program, free_port};

/// The password of every server.
pub(crate) const PASSWORD: &str = "open-sesame";

/// A server.
pub(crate) struct Redis {
    _program: Program,
    _folder: TempDir,
    port: u16,
}

impl Redis {
    /// A server, with TLS where a certificate is given.
    pub fn start(certificate: Option<&Certificate>) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let mut command = Command::new("redis-server");
        command.args(["--save", "", "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--dir"]).arg(folder.path());
        match certificate {
            None => {
                command.args(["--port", &port.to_string()]);
            }
            Some(certificate) => {
                let write = |name: &str, text: &str| {
                    let path = folder.path().join(name);
                    std::fs::write(&path, text).unwrap();
                    path
                };
                command.args(["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
                command.arg("--tls-cert-file").arg(write("cert.pem", &certificate.certificate));
                command.arg("--tls-key-file").arg(write("key.pem", &certificate.key));
                command.arg("--tls-ca-cert-file").arg(folder.path().join("cert.pem"));
            }
        }
        let program = Program::start(&mut command, port, &folder.path().join("log"));
        Self { _program: program, _folder: folder, port }
    }

    /// The fields of a credential for it.
    pub fn fields(&self) -> Value {
        json!({"host": "localhost", "port": self.port, "password": PASSWORD})
    }
}
