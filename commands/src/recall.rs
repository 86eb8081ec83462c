//! Commands on what nodes remember.

use timeloom_domain::recall::{Recall, RecallCommand, RecallEvent};
use uuid::Uuid;

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands};

impl Commands {
    /// Sends a command to one memory, and answers how it is then.
    ///
    /// # Errors
    /// A conflict or fault.
    pub async fn change_recall(
        &self,
        context: &CommandContext,
        memory: Uuid,
        command: RecallCommand,
    ) -> Result<Recall, CommandError> {
        let stream = self.stream::<RecallEvent>(context, memory);
        self.execute::<Recall>(context, stream.clone(), command, Base::Current).await?;
        Ok(self.load::<Recall>(&stream).await?.aggregate.clone())
    }
}
