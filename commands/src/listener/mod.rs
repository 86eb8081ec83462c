//! Commands on listeners, and all listeners at a glance. Only Timeloom itself sends these commands.

mod listing;

use std::sync::Arc;

use timeloom_domain::ids::ListenerId;
use timeloom_domain::listener::{Listener, ListenerCommand, ListenerEvent, ListenerRefusal};

pub use listing::{ListenerEntry, ListenerListing, ListenerStatus, Refused};

use crate::bridge::Base;
use crate::live::Live;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal, StreamState};

impl From<ListenerRefusal> for Refusal {
    fn from(refusal: ListenerRefusal) -> Self {
        let code = match refusal {
            ListenerRefusal::CursorTooLarge(_) => "CURSOR_TOO_LARGE",
        };
        Self::new(code, refusal.to_string())
    }
}

impl Commands {
    /// All listeners at a glance. It begins to follow the log when it is first asked for, which must be within a runtime.
    pub fn listeners(&self) -> &Live<ListenerListing> {
        self.inner.listeners.get_or_init(|| Live::follow(Arc::clone(&self.inner.log)))
    }

    /// Sends a command to one listener.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_listener(
        &self,
        context: &CommandContext,
        id: ListenerId,
        command: ListenerCommand,
    ) -> Result<Outcome<ListenerId>, CommandError> {
        let stream = self.stream::<ListenerEvent>(context, id);
        Ok(self.execute::<Listener>(context, stream, command, Base::Current).await?.with(id))
    }

    /// A listener as it is now.
    ///
    /// # Errors
    /// A conflict or fault.
    pub async fn listener(
        &self,
        context: &CommandContext,
        id: ListenerId,
    ) -> Result<Arc<StreamState<Listener>>, CommandError> {
        self.load::<Listener>(&self.stream::<ListenerEvent>(context, id)).await
    }
}
