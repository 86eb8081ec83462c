//! Which key does what. The keys are those of the debugger in the web app, as far as there is such a thing here.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is shown in the large pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    State,
    Diff,
    Items,
    Event,
    Watches,
}

impl Pane {
    pub(crate) const ALL: [Self; 5] = [Self::State, Self::Diff, Self::Items, Self::Event, Self::Watches];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::State => "State",
            Self::Diff => "Diff",
            Self::Items => "Items",
            Self::Event => "Event",
            Self::Watches => "Watches",
        }
    }

    fn place(self) -> usize {
        Self::ALL.iter().position(|pane| *pane == self).unwrap_or_default()
    }

    pub(crate) fn after(self, steps: usize) -> Self {
        Self::ALL[(self.place() + steps) % Self::ALL.len()]
    }
}

/// What a line is typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Search,
    Watch,
    Place,
}

impl Asked {
    pub(crate) fn prompt(self) -> &'static str {
        match self {
            Self::Search => "search payloads: ",
            Self::Watch => "watch (a path such as /node_runs/0/status): ",
            Self::Place => "go to event (5) or position (p17): ",
        }
    }
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    NextEvent,
    EventBefore,
    FirstEvent,
    LastEvent,
    NextNode,
    NodeBefore,
    NextChange,
    ChangeBefore,
    NextHit,
    HitBefore,
    Mark,
    Show(Pane),
    NextPane,
    PaneBefore,
    ScrollDown,
    ScrollUp,
    Follow,
    Ask(Asked),
    DropWatch,
    Help,
    Quit,
}

/// Every key, for the page of help.
pub(crate) const HELP: [(&str, &str); 17] = [
    ("j k ↓ ↑", "next event, the event before"),
    ("h l ← →", "the node before, next node"),
    ("[ ]", "the last and the next event of the node"),
    ("Home End", "first event, last event"),
    ("g", "go to an event (5) or a position of the log (p17)"),
    (".", "follow what comes, or no more"),
    ("m", "mark this event, to see what is other than there"),
    ("d", "what changed: since the mark, or since the event before"),
    ("s", "the whole state"),
    ("i", "the items that the node gave"),
    ("e", "what the event says"),
    ("w W", "watch a value; all watches"),
    ("x", "drop the newest watch"),
    ("/ n N", "search in what events say; next hit, hit before"),
    ("Tab", "the next pane"),
    ("PgUp PgDn", "scroll the pane (also K and J)"),
    ("q", "quit"),
];

/// What a key asks for; `None` when it is nothing.
pub(crate) fn action(key: KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Action::Quit);
    }
    Some(match key.code {
        KeyCode::Char('j') | KeyCode::Down => Action::NextEvent,
        KeyCode::Char('k') | KeyCode::Up => Action::EventBefore,
        KeyCode::Char('l') | KeyCode::Right => Action::NextNode,
        KeyCode::Char('h') | KeyCode::Left => Action::NodeBefore,
        KeyCode::Char(']') => Action::NextChange,
        KeyCode::Char('[') => Action::ChangeBefore,
        KeyCode::Home => Action::FirstEvent,
        KeyCode::End => Action::LastEvent,
        KeyCode::Char('n') => Action::NextHit,
        KeyCode::Char('N') => Action::HitBefore,
        KeyCode::Char('m') => Action::Mark,
        KeyCode::Char('d') => Action::Show(Pane::Diff),
        KeyCode::Char('s') => Action::Show(Pane::State),
        KeyCode::Char('i') => Action::Show(Pane::Items),
        KeyCode::Char('e') => Action::Show(Pane::Event),
        KeyCode::Char('W') => Action::Show(Pane::Watches),
        KeyCode::Tab => Action::NextPane,
        KeyCode::BackTab => Action::PaneBefore,
        KeyCode::PageDown | KeyCode::Char('J') => Action::ScrollDown,
        KeyCode::PageUp | KeyCode::Char('K') => Action::ScrollUp,
        KeyCode::Char('.') => Action::Follow,
        KeyCode::Char('/') => Action::Ask(Asked::Search),
        KeyCode::Char('w') => Action::Ask(Asked::Watch),
        KeyCode::Char('g') => Action::Ask(Asked::Place),
        KeyCode::Char('x') => Action::DropWatch,
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('q') => Action::Quit,
        _ => return None,
    })
}
