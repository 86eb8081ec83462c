//! A pseudo-terminal with the sample in it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::sample::SAMPLE;

/// Longest time until something is to be seen.
const SEEN_TIME_MAX: Duration = Duration::from_secs(20);

/// A screen on which nothing changes for so long is whole.
const SETTLED_TIME: Duration = Duration::from_millis(150);

/// What was written to the terminal so far.
struct Screen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    is_over: bool,
}

fn at_least_one(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// A terminal that a program runs in.
pub struct Terminal {
    screen: Arc<(Mutex<Screen>, Condvar)>,
    keys: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    /// Starts the sample.
    pub fn start(columns: u16, lines: u16, wish: &str, variables: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "sample::the_sample_is_shown_where_the_variable_says_so", "--nocapture"]);
        command.env(SAMPLE, wish);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let parser = vt100::Parser::new(at_least_one(lines), at_least_one(columns), 0);
        let screen = Arc::new((Mutex::new(Screen { parser, bytes: Vec::new(), is_over: false }), Condvar::new()));
        let kept = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let mut screen = kept.0.lock().unwrap();
                screen.parser.process(&buffer[..read]);
                screen.bytes.extend_from_slice(&buffer[..read]);
                screen.is_over = read == 0;
                kept.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { screen, keys: pair.master.take_writer().unwrap(), master: pair.master, child }
    }

    /// Waits until the screen is as `wanted` says, and gives its text.
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let (screen, changed) = &*self.screen;
        let until = Instant::now() + SEEN_TIME_MAX;
        let mut screen = screen.lock().unwrap();
        loop {
            let text = screen.parser.screen().contents();
            if wanted(&text) {
                return text;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !screen.is_over, "{what} is not to be seen:\n{text}");
            screen = changed.wait_timeout(screen, left).unwrap().0;
        }
    }

    /// Waits until a text is on the screen.
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// The text of the screen once a text is on it, and nothing on it changes for a moment: a screen comes in pieces.
    pub fn settles_on(&self, text: &str) -> String {
        let mut seen = self.shows(text);
        let (screen, changed) = &*self.screen;
        let (mut screen, mut since) = (screen.lock().unwrap(), Instant::now());
        while since.elapsed() < SETTLED_TIME {
            // Where the cursor is hidden is written again and again, and changes nothing.
            screen = changed.wait_timeout(screen, SETTLED_TIME).unwrap().0;
            let now = screen.parser.screen().contents();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        seen
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, lines: u16) {
        self.screen.0.lock().unwrap().parser.screen_mut().set_size(at_least_one(lines), at_least_one(columns));
        self.master.resize(PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Waits for the end of the program; everything that it wrote, and whether the terminal is as before.
    pub fn ends(mut self) -> (bool, String) {
        let status = self.child.wait().unwrap();
        let (screen, changed) = &*self.screen;
        let mut screen = screen.lock().unwrap();
        while !screen.is_over {
            screen = changed.wait(screen).unwrap();
        }
        let seen = screen.parser.screen();
        assert!(!seen.alternate_screen(), "the other screen is left");
        assert!(!seen.hide_cursor(), "the cursor is to be seen");
        (status.success(), String::from_utf8_lossy(&screen.bytes).into_owned())
    }
}
