//! How far a long verb is: a bar for people at a terminal, a line for each tenth of the way elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// How a bar looks.
const BAR: &str = "{msg:>10} [{bar:30}] {human_pos} of {human_len} events, {per_sec}, {eta} left";
/// A line is written each time this much of the way is done.
const LINE_PERCENT: u64 = 10;

/// How far something is.
pub struct Progress {
    bar: Option<ProgressBar>,
    doing: &'static str,
    /// Percent at which the next line is due.
    next_line: u64,
}

impl Progress {
    /// Shown on standard error.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Self { bar, doing: "", next_line: 0 }
    }

    /// `done` of `all` events are through what is being done.
    pub fn show(&mut self, doing: &'static str, done: u64, all: u64) {
        let changed = self.doing != doing;
        self.doing = doing;
        if let Some(bar) = &self.bar {
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
            output::notice(&format!("{doing}: {done} of {all} events"));
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
