//! The debugger of the program itself: out of a server, a folder and a capsule it shows the same, and whatever ends it, the
//! terminal is as it was before.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::server::{Server, chain, program, set, verb};
use crate::tree::root;

/// Longest time until something is to be seen.
const SEEN_TIME_MAX: Duration = Duration::from_secs(60);
/// A screen on which nothing changes for so long is whole.
const SETTLED_TIME: Duration = Duration::from_millis(300);
const COLUMNS: u16 = 100;
const LINES: u16 = 30;

/// The program in a pseudo-terminal.
struct Debugger {
    seen: Arc<(Mutex<(vt100::Parser, bool)>, Condvar)>,
    keys: Box<dyn std::io::Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Debugger {
    fn start(arguments: &[&str]) -> Self {
        let size = PtySize { rows: LINES, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program());
        command.arg("debug");
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let seen = Arc::new((
            Mutex::new((vt100::Parser::new(LINES.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0), false)),
            Condvar::new(),
        ));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let mut seen = kept.0.lock().unwrap();
                seen.0.process(&buffer[..read]);
                seen.1 = read == 0;
                kept.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { seen, keys: pair.master.take_writer().unwrap(), child, _master: pair.master }
    }

    /// Waits until a text is on the screen.
    fn shows(&self, wanted: &str) -> String {
        let until = Instant::now() + SEEN_TIME_MAX;
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            let text = seen.0.screen().contents();
            if text.contains(wanted) {
                return text;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.1, "'{wanted}' is not to be seen:\n{text}");
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// The text of the screen once a text is on it and nothing changes for a moment: a screen comes in pieces.
    fn settles_on(&self, wanted: &str) -> String {
        self.shows(wanted);
        let (mut seen, mut since, mut before) = (self.seen.0.lock().unwrap(), Instant::now(), String::new());
        while since.elapsed() < SETTLED_TIME {
            seen = self.seen.1.wait_timeout(seen, SETTLED_TIME).unwrap().0;
            let now = seen.0.screen().contents();
            if now != before {
                (before, since) = (now, Instant::now());
            }
        }
        before
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn ends(mut self) -> bool {
        let is_well = self.child.wait().unwrap().success();
        let mut seen = self.seen.0.lock().unwrap();
        while !seen.1 {
            seen = self.seen.1.wait(seen).unwrap();
        }
        assert!(!seen.0.screen().alternate_screen() && !seen.0.screen().hide_cursor(), "the terminal is as before");
        is_well
    }
}

/// What is below the lines with the place, the time and the position, which no two runs have in common.
fn below(screen: &str) -> String {
    screen.lines().skip(2).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Looks at the items of the last node, one event before the end.
fn looked_at(arguments: &[&str], is_quit: bool) -> String {
    let mut debugger = Debugger::start(arguments);
    debugger.shows("completed");
    debugger.press("ki");
    debugger.shows("\"m\": 84");
    let screen = debugger.settles_on("run 0 of 'Last': completed");
    assert!(screen.contains("Debugged"), "{screen}");
    if is_quit {
        debugger.press("q");
    } else {
        let pid = debugger.child.process_id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
    assert!(debugger.ends(), "it ends well");
    below(&screen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_a_folder_and_a_capsule_are_shown_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--checkpoint-seconds", "1"]);
    let steps = [set("Step", "n", "={{ 41 + 1 }}"), set("Last", "m", "={{ $json.n * 2 }}")];
    let workflow = server.import(&chain("Debugged", &steps)).await;
    let execution = server.start_execution(&workflow, "COMPLETED").await["executionId"].as_str().unwrap().to_owned();
    let file = folder.path().join("run.capsule");
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let made = verb(&["capsule", "make", &execution, "-o", file, "--server", &server.url]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let of_server = looked_at(&[&execution, "--server", &server.url], true);
    server.stop();
    let of_folder = looked_at(&[&execution, "--data", data], false);
    let of_capsule = looked_at(&["--capsule", file], true);
    assert_eq!(of_server, of_folder);
    assert_eq!(of_server, of_capsule);
    golden(&of_server);

    let nobody = verb(&["debug", &execution, "--data", data]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("the debugger needs a terminal"));
}

/// Compares a screen with the one that was committed; `UPDATE_GOLDEN=1` writes it anew.
fn golden(screen: &str) {
    let path = root().join(Path::new("tests/it/process/debugger.txt"));
    #[expect(clippy::disallowed_methods, reason = "the variable says that the screen is written anew")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, screen).unwrap();
    }
    assert_eq!(screen, std::fs::read_to_string(&path).unwrap_or_default());
}
