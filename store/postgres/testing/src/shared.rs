//! The server that all tests of this machine share.
//!
//! Every test process holds a shared lock on a file. A watchdog beside the server tries to have the lock for itself every
//! few seconds; when it gets it nobody is left, and the server is stopped and its files removed.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::programs::PORT;
use crate::{programs, server};

/// Tests keep nothing, so the shared server does not sync.
const SETTINGS: [&str; 4] = ["fsync=off", "full_page_writes=off", "max_wal_size=256MB", "autovacuum_naptime=10s"];

/// What the watchdog does: arguments are the file of users, the server's process, and the folder to remove.
const WATCHDOG: &str = r#"
    while sleep 5; do
        flock --nonblock --exclusive "$1" sh -c '
            kill -INT "$1"; while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; rm -rf "$2"
        ' sh "$2" "$3" && exit
        kill -0 "$2" 2>/dev/null || exit
    done"#;

/// The address of `database` in the shared server, which is started if it does not run.
pub(crate) fn url(database: &str) -> String {
    static USE: OnceLock<Use> = OnceLock::new();
    programs::url(&USE.get_or_init(Use::begin).socket, PORT, database)
}

/// This process's part in keeping the server.
struct Use {
    socket: PathBuf,
    /// Holds the shared lock until the process ends.
    _user: File,
}

impl Use {
    fn begin() -> Self {
        let folder = std::env::temp_dir().join(format!("timeloom-test-postgres-{}", owner()));
        programs::make_folder(&folder);
        let lock = |name: &str| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).open(folder.join(name)).unwrap()
        };
        let user = lock("users.lock");
        user.lock_shared().unwrap();
        let starting = lock("start.lock");
        starting.lock().unwrap();
        let cluster = folder.join("cluster");
        if !server::answers(&programs::url(&cluster, PORT, "postgres")) {
            start(&folder, &cluster);
        }
        drop(starting);
        Self { socket: cluster, _user: user }
    }
}

#[expect(clippy::zombie_processes, reason = "server and watchdog outlive the process that starts them")]
fn start(folder: &Path, cluster: &Path) {
    // What another server left when the machine stopped is not to be trusted: it did not sync.
    let _ = fs::remove_dir_all(cluster);
    programs::make_folder(cluster);
    programs::initdb(&cluster.join("data"));
    let server = programs::server(&cluster.join("data"), cluster, &cluster.join("log"), &SETTINGS).spawn().unwrap();
    server::wait_until_ready(&programs::url(cluster, PORT, "postgres"));
    Command::new("sh")
        .args(["-c", WATCHDOG, "sh"])
        .arg(folder.join("users.lock"))
        .arg(server.id().to_string())
        .arg(cluster)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
}

/// Whose server it is: users do not share one.
fn owner() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").map_or(0, |process| process.uid())
}
