//! A run done again from its records: nobody is asked, nothing is called.

use super::event::AgentRunEvent;
use super::state::AgentRun;

/// What came of doing a run again.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentReplay {
    /// How many events were looked at.
    pub events: u64,
    /// Questions that would have been asked with the same words.
    pub questions: u32,
    /// The first event that is not what would have come next.
    pub deviation: Option<Deviation>,
    /// The state at the end, or before that event.
    pub run: AgentRun,
}

/// An event that is not what would have come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// Its revision.
    pub revision: u64,
    /// Its type.
    pub event_type: &'static str,
    /// What is other, in words.
    pub message: String,
}

/// Does a run again from its events, from the first on.
pub fn replayed<'a>(events: impl IntoIterator<Item = &'a AgentRunEvent>) -> AgentReplay {
    use crate::event::{Aggregate as _, Event as _};
    let mut replay = AgentReplay { events: 0, questions: 0, deviation: None, run: AgentRun::default() };
    for event in events {
        replay.events += 1;
        if !replay.run.admits(event) {
            let message = format!("what is next is {:?}", replay.run.next(event.at_ms()));
            let message = message.chars().take(500).collect();
            let (revision, event_type) = (replay.events, event.event_type());
            replay.deviation = Some(Deviation { revision, event_type, message });
            return replay;
        }
        replay.questions += u32::from(matches!(event, AgentRunEvent::AgentModelAsked { .. }));
        replay.run.apply(event);
    }
    replay
}
