//! How things look: with colours, or without where the person wants none.

use ratatui::style::{Color, Modifier, Style};

use crate::lines::Look;

/// Whether there are colours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    pub(crate) has_colours: bool,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }

    pub(crate) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn faint(self) -> Style {
        self.colour(Color::DarkGray)
    }

    pub(crate) fn accent(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// What is chosen in a list.
    pub(crate) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(crate) fn status(self, status: &str) -> Style {
        match status {
            "completed" => self.colour(Color::Green),
            "failed" | "cancelled" => self.colour(Color::Red),
            "waiting" | "paused" | "retrying" => self.colour(Color::Yellow),
            _ => self.colour(Color::Blue),
        }
    }

    pub(crate) fn look(self, look: Look) -> Style {
        match look {
            Look::Plain => Style::new(),
            Look::Heading => self.strong(),
            Look::Came => self.colour(Color::Green),
            Look::Went | Look::Wrong => self.colour(Color::Red),
            Look::Other => self.colour(Color::Yellow),
        }
    }
}
