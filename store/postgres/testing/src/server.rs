//! A server of a test's own, which syncs as a production server does and can be killed.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::programs::{self, PORT};

/// Longest time that a server takes to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server in a temporary folder. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// A new cluster, and a server for it.
    pub fn start_new() -> Self {
        let folder = TempDir::new().unwrap();
        programs::make_folder(folder.path());
        programs::initdb(&folder.path().join("data"));
        let mut server = Self { folder, port: PORT, settings: Vec::new(), process: None };
        server.start();
        server
    }

    /// The same, which also listens on a loopback port, with this certificate and key in PEM form.
    pub fn start_new_with_tls(certificate: &str, key: &str) -> Self {
        let mut server = Self::start_new();
        server.stop();
        let data = server.folder.path().join("data");
        programs::write_secret(&data.join("server.crt"), certificate);
        programs::write_secret(&data.join("server.key"), key);
        // It is free now; nobody else is likely to take it in between.
        server.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = format!("port={}", server.port);
        server.settings = vec!["listen_addresses=127.0.0.1".to_owned(), port, "ssl=on".to_owned()];
        server.start();
        server
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        programs::url(self.folder.path(), self.port, database)
    }

    /// The path of its socket.
    pub fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// Its port, if it listens on one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`]; returns when it answers.
    pub fn start(&mut self) {
        let (data, log) = (self.folder.path().join("data"), self.folder.path().join("log"));
        let (url, began) = (self.url("postgres"), Instant::now());
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        loop {
            let mut process = programs::server(&data, self.folder.path(), &log, &settings).spawn().unwrap();
            // It ends at once while a process of the killed one is still there.
            while process.try_wait().unwrap().is_none() {
                if answers(&url) {
                    self.process = Some(process);
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "the server does not start: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends every process of it at once, as `kill -9` does: nothing is flushed, recovery is what is left.
    pub fn kill(&mut self) {
        self.end("-KILL");
    }

    /// Stops it as an administrator does who does not wait for clients.
    pub fn stop(&mut self) {
        self.end("-INT");
    }

    fn end(&mut self, signal: &str) {
        let Some(mut process) = self.process.take() else { return };
        let mut targets = vec![process.id()];
        if signal == "-KILL" {
            // Backends are in sessions of their own: none may outlive the postmaster.
            targets.extend(children(process.id()));
        }
        let targets = targets.iter().map(u32::to_string);
        let _ = std::process::Command::new("kill").arg(signal).args(targets).stderr(Stdio::null()).status().unwrap();
        process.wait().unwrap();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|process| process.parse().ok()).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("-KILL");
    }
}

/// Waits until a server answers at `url`.
pub(crate) fn wait_until_ready(url: &str) {
    let began = Instant::now();
    while !answers(url) {
        assert!(began.elapsed() < PATIENCE, "no server answers at {url}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a server takes connections at `url`. On a thread of its own, since a runtime may be here already.
pub(crate) fn answers(url: &str) -> bool {
    let url = url.to_owned();
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_ok() })
    });
    asking.join().unwrap()
}
