//! Takes the terminal, gives it back however the debugger ends, and carries keys and time to the model.

use std::io::{self, IsTerminal as _};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

use crate::model::Model;
use crate::source::{Source, SourceError};
use crate::view::{Drawn, Theme, draw};

/// Longest time until a wish to stop is seen.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Between two questions for events that came meanwhile.
const NEWS_PAUSE: Duration = Duration::from_millis(500);

/// Keys that may wait to be looked at.
const TYPED_MAX: usize = 256;
/// How long the end of the thread that reads them is waited for, and how often it is looked at.
const READER_TIME_MAX: Duration = Duration::from_millis(500);
const READER_PAUSE: Duration = Duration::from_millis(5);

/// How the debugger is shown.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether there are colours.
    pub has_colours: bool,
}

/// Why the debugger ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The execution cannot be shown.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The terminal cannot be used.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
}

/// Shows an execution until the person quits, or until `stop` is set from outside.
///
/// # Errors
/// [`RunError`]. The terminal is as it was before.
pub fn run(source: &mut dyn Source, options: Options, stop: &Arc<AtomicBool>) -> Result<(), RunError> {
    // What is wrong with it is told where it can be read.
    let mut model = Model::try_new(source)?;
    let _taken = Taken::take()?;
    let keys = Keys::read()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let theme = Theme { has_colours: options.has_colours };
    let (mut drawn, mut news) = (Drawn::default(), Instant::now());
    let (is_shown, mut is_stale) = (io::stdout().is_terminal(), true);
    while !model.is_over && !stop.load(Ordering::Relaxed) {
        // Who is not told of it by a signal finds out here that the terminal is gone: what waits for its keys never would.
        if is_shown && !io::stdout().is_terminal() {
            break;
        }
        // Even a screen that did not change is written a little: far away, and for programs that look at it, that is not nothing.
        if std::mem::take(&mut is_stale) {
            terminal.draw(|frame| draw(frame, &mut model, &mut drawn, theme))?;
        }
        // Whatever comes at once is drawn once.
        let mut next = keys.next(LOOK_PAUSE)?;
        while let Some(event) = next {
            is_stale = true;
            if let Event::Key(key) = event
                && key.kind != KeyEventKind::Release
            {
                model.press(key);
            }
            next = if model.is_over { None } else { keys.next(Duration::ZERO)? };
        }
        if news.elapsed() >= NEWS_PAUSE {
            news = Instant::now();
            model.look_for_news();
            is_stale = true;
        }
    }
    Ok(())
}

/// What is typed, read by a thread of its own: reading does not come back once the terminal is gone, and the debugger has to end
/// all the same.
struct Keys {
    typed: Receiver<io::Result<Event>>,
    is_over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Keys {
    fn read() -> io::Result<Self> {
        let (to, typed) = sync_channel(TYPED_MAX);
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let reader = thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&over, &to))?;
        Ok(Self { typed, is_over, reader: Some(reader) })
    }

    /// The next thing that happens at the terminal, if it does within some time.
    fn next(&self, time: Duration) -> io::Result<Option<Event>> {
        match self.typed.recv_timeout(time) {
            Ok(event) => event.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

fn read_keys(is_over: &AtomicBool, to: &SyncSender<io::Result<Event>>) {
    while !is_over.load(Ordering::Relaxed) {
        let read = match event::poll(LOOK_PAUSE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let is_last = read.is_err();
        if to.send(read).is_err() || is_last {
            return;
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let Some(reader) = self.reader.take() else { return };
        let until = Instant::now() + READER_TIME_MAX;
        while !reader.is_finished() && Instant::now() < until {
            // It may wait for room for what was typed meanwhile.
            while self.typed.try_recv().is_ok() {}
            thread::sleep(READER_PAUSE);
        }
        // One that does not come back ends with the process.
        if reader.is_finished() {
            let _ = reader.join();
        }
    }
}

/// The terminal, while the debugger has it.
struct Taken;

impl Taken {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let taken = Self;
        execute!(io::stdout(), EnterAlternateScreen)?;
        // What a fault of ours says would be lost with the other screen.
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |fault| {
            give_back();
            told(fault);
        }));
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
        // The hook that is there now does no more than give back what was given back.
    }
}

fn give_back() {
    // There is nobody to tell when it does not work.
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}
