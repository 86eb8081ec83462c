//! MariaDB, as Debian's packages `mariadb-server-core` and `mariadb-client-core` have it.

use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::certificates::{Certificate, for_localhost};
use super::{Program, free_port};

/// The password of every user.
pub(crate) const PASSWORD: &str = "open-sesame";

/// A server.
pub(crate) struct MariaDb {
    _program: Program,
    _folder: TempDir,
    port: u16,
    /// What it shows to those who ask for TLS.
    pub certificate: Certificate,
}

impl MariaDb {
    pub fn start() -> Self {
        let (folder, certificate) = (TempDir::new().unwrap(), for_localhost());
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("cert.pem"), &certificate.certificate).unwrap();
        std::fs::write(path("key.pem"), &certificate.key).unwrap();
        // One statement a line: what follows the last line break is not read.
        let user = format!("CREATE USER loom@'%' IDENTIFIED BY '{PASSWORD}';\n");
        let init = format!("{user}GRANT ALL ON *.* TO loom@'%';\nFLUSH PRIVILEGES;\n");
        std::fs::write(path("init.sql"), init).unwrap();
        let user =
            if std::fs::metadata("/proc/self").unwrap().uid() == 0 { "--user=root" } else { "--skip-name-resolve" };
        // Several that make their temporary tables in one folder take each other's, and break down.
        std::fs::create_dir(path("tmp")).unwrap();
        let temporary = format!("--tmpdir={}", path("tmp"));
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", user])
            .arg(format!("--datadir={}", path("data")))
            .arg(&temporary)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("MariaDB's programs are missing: run `make setup` ({error})"));
        assert!(made.status.success(), "MariaDB's data folder was not made: {made:?}");
        // Right before it is used: what is free now may be taken while the data folder is made.
        let port = free_port();
        let mut command = Command::new("mariadbd");
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", user]);
        command.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]);
        command.arg(format!("--datadir={}", path("data"))).arg(&temporary).arg(format!("--socket={}", path("sock")));
        command.arg(format!("--port={port}")).arg(format!("--init-file={}", path("init.sql")));
        command.arg(format!("--ssl-cert={}", path("cert.pem"))).arg(format!("--ssl-key={}", path("key.pem")));
        let program = Program::start(&mut command, port, &folder.path().join("log"));
        Self { _program: program, _folder: folder, port, certificate }
    }

    /// The fields of a credential for it, without a database.
    pub fn fields(&self) -> Value {
        json!({"host": "localhost", "port": self.port, "user": "loom", "password": PASSWORD})
    }
}
