//! How far a long verb is: a bar for people at a terminal, a line for each tenth of the way elsewhere.

use std::fmt::Write;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::output;

/// How a bar looks.
const BAR: &str = "{msg:>10} [{bar:30}] {human_pos} of {human_len} events, {rate}, {eta} left";
/// The same for bytes.
const BYTES_BAR: &str = "{msg:>10} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
/// A line is written each time this much of the way is done.
const LINE_PERCENT: u64 = 10;

/// How far something is.
pub struct Progress {
    at_terminal: bool,
    of_bytes: bool,
    bar: Option<ProgressBar>,
    doing: &'static str,
    /// Percent at which the next line is due.
    next_line: u64,
}

impl Progress {
    /// Shown on standard error.
    pub fn new() -> Self {
        Self { at_terminal: std::io::stderr().is_terminal(), of_bytes: false, bar: None, doing: "", next_line: 0 }
    }

    /// The same for bytes in place of events.
    pub fn of_bytes() -> Self {
        Self { of_bytes: true, ..Self::new() }
    }

    /// `done` of `all` events or bytes are through what is being done.
    pub fn show(&mut self, doing: &'static str, done: u64, all: u64) {
        let changed = self.doing != doing;
        self.doing = doing;
        if self.at_terminal {
            let template = if self.of_bytes { BYTES_BAR } else { BAR };
            let bar = self.bar.get_or_insert_with(|| new_bar(template, all));
            if changed {
                bar.reset();
                bar.set_message(doing);
            }
            bar.set_length(all);
            bar.set_position(done);
            return;
        }
        if changed {
            self.next_line = 0;
        }
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        if percent >= self.next_line {
            output::notice(&match self.of_bytes {
                false => format!("{doing}: {done} of {all} events"),
                true => format!("{doing}: {} of {} MiB", done >> 20, all.div_ceil(1 << 20)),
            });
            self.next_line = percent / LINE_PERCENT * LINE_PERCENT + LINE_PERCENT;
        }
    }

    /// Takes the bar away.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(template: &str, all: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        let _ = write!(text, "{:.0} /s", state.per_sec());
    };
    ProgressBar::new(all).with_style(style.with_key("rate", rate))
}
