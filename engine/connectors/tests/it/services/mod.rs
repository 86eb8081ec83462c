//! Real servers, each on a loopback port of its own, that end with the test.

pub(crate) mod certificates;
#[cfg(feature = "databases")]
pub(crate) mod mariadb;
pub(crate) mod python;
#[cfg(feature = "databases")]
pub(crate) mod redis;
#[cfg(feature = "ssh")]
pub(crate) mod sshd;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time that a server takes to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs, and ends with this value.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// Starts a program, and waits until it listens on the port.
    pub fn start(command: &mut Command, port: u16, log: &Path) -> Self {
        let file = fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{} cannot be started ({error}): run `make setup`", command.get_program().display())
        });
        let mut program = Self { child };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = program.child.try_wait().unwrap();
            let said = || fs::read_to_string(log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended: {}", said());
            assert!(began.elapsed() < PATIENCE, "the server does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now; nobody else is likely to take it in between.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
