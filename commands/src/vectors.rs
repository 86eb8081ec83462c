//! Commands on collections of vectors.

use std::sync::Arc;

use timeloom_domain::vectors::{VectorCollection, VectorCommand, VectorEvent};
use uuid::Uuid;

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, StreamState};

impl Commands {
    /// Sends a command to one collection.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_vectors(
        &self,
        context: &CommandContext,
        collection: Uuid,
        command: VectorCommand,
    ) -> Result<(), CommandError> {
        let stream = self.stream::<VectorEvent>(context, collection);
        self.execute::<VectorCollection>(context, stream, command, Base::Current).await.map(|_| ())
    }

    /// A collection as it is now.
    ///
    /// # Errors
    /// A conflict or fault.
    pub async fn vectors(
        &self,
        context: &CommandContext,
        collection: Uuid,
    ) -> Result<Arc<StreamState<VectorCollection>>, CommandError> {
        let stream = self.stream::<VectorEvent>(context, collection);
        self.load::<VectorCollection>(&stream).await
    }
}
