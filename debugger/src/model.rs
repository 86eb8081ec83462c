//! Where the person at the terminal is in an execution, and what a key does to that. Never draws.

use std::collections::VecDeque;
use std::sync::Arc;

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use serde_json::Value;

use crate::keys::{Action, Asked, Pane, action};
use crate::source::{About, EventRow, Source, SourceError};

/// States that are kept: going back and forth asks for the same ones.
const STATES_KEPT: usize = 32;
/// Payloads that one search looks at.
const SEARCHED_MAX: usize = 2_000;
/// Values that are watched.
const WATCHES_MAX: usize = 50;
/// Longest line that is typed, in characters.
const TYPED_MAX: usize = 200;
/// Lines by which a pane is scrolled.
const SCROLL_LINES: usize = 5;

/// A line that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) what: Asked,
    pub(crate) text: String,
}

/// The debugger without its terminal.
pub(crate) struct Model<'s> {
    source: &'s mut dyn Source,
    pub(crate) about: About,
    pub(crate) events: Vec<EventRow>,
    /// The event after which everything is shown.
    at: usize,
    /// The node whose events `[` and `]` go to, and whose items are shown.
    pub(crate) node: usize,
    pub(crate) pane: Pane,
    pub(crate) scroll: usize,
    /// The event from which changes are told; the one before when there is none.
    pub(crate) mark: Option<usize>,
    pub(crate) watches: Vec<String>,
    pub(crate) typed: Option<Typed>,
    searched: String,
    pub(crate) message: String,
    pub(crate) is_following: bool,
    pub(crate) shows_help: bool,
    pub(crate) is_over: bool,
    states: VecDeque<(u64, Arc<Value>)>,
    /// Counts what changes what is shown.
    pub(crate) edition: u64,
}

impl<'s> Model<'s> {
    /// At the last event of what `source` tells.
    pub(crate) fn try_new(source: &'s mut dyn Source) -> Result<Self, SourceError> {
        let about = source.about()?;
        let events = source.events(0)?;
        if events.is_empty() {
            return Err(SourceError(format!("execution {} has no event", about.execution)));
        }
        let at = events.len() - 1;
        let mut model = Self {
            source,
            about,
            events,
            at,
            node: 0,
            pane: Pane::State,
            scroll: 0,
            mark: None,
            watches: Vec::new(),
            typed: None,
            searched: String::new(),
            message: String::new(),
            is_following: false,
            shows_help: false,
            is_over: false,
            states: VecDeque::new(),
            edition: 0,
        };
        model.look_at_node_of_event();
        Ok(model)
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The event after which everything is shown.
    pub(crate) fn event(&self) -> &EventRow {
        &self.events[self.at]
    }

    /// The name of the node that is looked at.
    pub(crate) fn node_name(&self) -> Option<&str> {
        self.about.nodes.get(self.node).map(String::as_str)
    }

    /// The state after an event.
    pub(crate) fn state(&mut self, at: usize) -> Result<Arc<Value>, SourceError> {
        let revision = self.events[at].revision;
        if let Some((_, state)) = self.states.iter().find(|(known, _)| *known == revision) {
            return Ok(Arc::clone(state));
        }
        let state = Arc::new(self.source.state(revision)?);
        self.states.push_back((revision, Arc::clone(&state)));
        if self.states.len() > STATES_KEPT {
            self.states.pop_front();
        }
        Ok(state)
    }

    /// What the event says.
    pub(crate) fn payload(&mut self) -> Result<Value, SourceError> {
        self.source.payload(self.events[self.at].revision)
    }

    /// Looks for events that came meanwhile, where they are followed.
    pub(crate) fn look_for_news(&mut self) {
        if !self.is_following {
            return;
        }
        let newest = self.events.last().map_or(0, |event| event.revision);
        match self.source.events(newest) {
            Ok(news) if news.is_empty() => {}
            Ok(news) => {
                self.events.extend(news);
                self.go_to(self.events.len() - 1);
            }
            Err(error) => {
                self.is_following = false;
                self.say(format!("what comes is not followed any more: {error}"));
            }
        }
    }

    /// What a key does.
    pub(crate) fn press(&mut self, key: KeyEvent) {
        self.edition += 1;
        if let Some(typed) = self.typed.take() {
            return self.type_into(typed, key);
        }
        self.message.clear();
        if self.shows_help {
            self.shows_help = false;
            self.is_over = action(key) == Some(Action::Quit);
            return;
        }
        if let Some(action) = action(key) {
            let at = self.at;
            self.act(action);
            // Who goes back wants to stay there.
            self.is_following &= self.at >= at;
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::NextEvent => self.go_to((self.at + 1).min(self.events.len() - 1)),
            Action::EventBefore => self.go_to(self.at.saturating_sub(1)),
            Action::FirstEvent => self.go_to(0),
            Action::LastEvent => self.go_to(self.events.len() - 1),
            Action::NextNode => self.look_at(self.node + 1),
            Action::NodeBefore => self.look_at(self.node.saturating_sub(1)),
            Action::NextChange => self.go_to_change(true),
            Action::ChangeBefore => self.go_to_change(false),
            Action::NextHit => self.search(true),
            Action::HitBefore => self.search(false),
            Action::Mark => self.set_mark(),
            Action::Show(pane) => self.show(pane),
            Action::NextPane => self.show(self.pane.after(1)),
            Action::PaneBefore => self.show(self.pane.after(Pane::ALL.len() - 1)),
            Action::ScrollDown => self.scroll += SCROLL_LINES,
            Action::ScrollUp => self.scroll = self.scroll.saturating_sub(SCROLL_LINES),
            Action::Follow => self.follow(),
            Action::Ask(what) => self.typed = Some(Typed { what, text: String::new() }),
            Action::DropWatch => match self.watches.pop() {
                Some(watch) => self.say(format!("{watch} is not watched any more")),
                None => self.say("nothing is watched"),
            },
            Action::Help => self.shows_help = true,
            Action::Quit => self.is_over = true,
        }
    }

    fn say(&mut self, message: impl Into<String>) {
        self.message = message.into();
        self.edition += 1;
    }

    fn show(&mut self, pane: Pane) {
        (self.pane, self.scroll) = (pane, 0);
    }

    fn go_to(&mut self, at: usize) {
        if at != self.at {
            (self.at, self.scroll) = (at, 0);
            self.edition += 1;
        }
        self.look_at_node_of_event();
    }

    /// The node of the event is the one that is looked at, where it has one.
    fn look_at_node_of_event(&mut self) {
        let nodes = &self.about.nodes;
        let node = self.event().node.as_ref().and_then(|node| nodes.iter().position(|known| known == node));
        self.node = node.unwrap_or(self.node);
    }

    fn look_at(&mut self, node: usize) {
        (self.node, self.scroll) = (node.min(self.about.nodes.len().saturating_sub(1)), 0);
    }

    /// To the next event that changes the node, or the last one.
    fn go_to_change(&mut self, forward: bool) {
        let node = self.node_name().map(str::to_owned);
        let is_of_node = |at: &usize| self.events[*at].node.is_some() && self.events[*at].node == node;
        let found = if forward {
            (self.at + 1..self.events.len()).find(is_of_node)
        } else {
            (0..self.at).rev().find(is_of_node)
        };
        match found {
            Some(at) => self.go_to(at),
            None => self.say(format!("'{}' does not change any more in that direction", node.unwrap_or_default())),
        }
    }

    fn set_mark(&mut self) {
        if self.mark == Some(self.at) {
            self.mark = None;
            self.say("the mark is taken away");
        } else {
            self.mark = Some(self.at);
            self.say(format!("event {} is marked: d tells what is other than there", self.event().revision));
        }
    }

    fn follow(&mut self) {
        if !self.source.is_live() {
            return self.say("nothing more comes: what is shown here has ended or is a file");
        }
        self.is_following = !self.is_following;
        if self.is_following {
            self.go_to(self.events.len() - 1);
        }
    }

    fn type_into(&mut self, mut typed: Typed, key: KeyEvent) {
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Enter => return self.entered(&typed),
            KeyCode::Backspace => drop(typed.text.pop()),
            KeyCode::Char(letter) if typed.text.chars().count() < TYPED_MAX => typed.text.push(letter),
            _ => {}
        }
        self.typed = Some(typed);
    }

    fn entered(&mut self, typed: &Typed) {
        let text = typed.text.trim();
        match typed.what {
            _ if text.is_empty() => {}
            Asked::Search => {
                text.clone_into(&mut self.searched);
                self.search(true);
            }
            Asked::Watch => self.watch(text),
            Asked::Place => self.go_to_place(text),
        }
    }

    fn watch(&mut self, path: &str) {
        if !path.starts_with('/') {
            return self.say("a watch is a path into the state that begins with /, such as /status");
        }
        if self.watches.len() >= WATCHES_MAX {
            return self.say(format!("{WATCHES_MAX} values are watched: drop one with x"));
        }
        self.watches.push(path.to_owned());
        self.show(Pane::Watches);
    }

    fn go_to_place(&mut self, text: &str) {
        let found = match text.strip_prefix('p') {
            Some(position) => position
                .parse()
                .ok()
                .and_then(|position: u64| self.events.iter().rposition(|event| event.position <= position)),
            None => {
                let revision = text.strip_prefix('r').unwrap_or(text).parse::<u64>().ok();
                revision.and_then(|revision| self.events.iter().position(|event| event.revision == revision))
            }
        };
        match found {
            Some(at) => self.go_to(at),
            None => self.say(format!("there is no event '{text}': events go from 1 to {}", self.events.len())),
        }
    }

    /// To the next event that says what is looked for.
    fn search(&mut self, forward: bool) {
        if self.searched.is_empty() {
            return self.say("nothing is looked for: / asks what");
        }
        let places: Vec<usize> = if forward {
            (self.at + 1..self.events.len()).chain(0..=self.at).collect()
        } else {
            (0..self.at).rev().chain((self.at..self.events.len()).rev()).collect()
        };
        let wanted = self.searched.to_lowercase();
        for at in places.iter().copied().take(SEARCHED_MAX) {
            let event = &self.events[at];
            let names_it = event.event_type.to_lowercase().contains(&wanted);
            let says_it = names_it
                || match self.source.payload(event.revision) {
                    Ok(payload) => payload.to_string().to_lowercase().contains(&wanted),
                    Err(error) => return self.say(error.to_string()),
                };
            if says_it {
                self.say(format!("'{}' is in event {}", self.searched, self.events[at].revision));
                return self.go_to(at);
            }
        }
        let looked_at = places.len().min(SEARCHED_MAX);
        self.say(format!("'{}' is in none of {looked_at} events", self.searched));
    }
}
