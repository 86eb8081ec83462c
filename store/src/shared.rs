//! What rows that are read one after the other have in common is kept once: for backends.

use std::collections::HashMap;
use std::sync::Arc;

use timeloom_domain::ids::{Actor, EventId, TenantId};

use crate::envelope::{Metadata, StreamKey};
use crate::stored::read_metadata;

/// What the rows before had.
#[derive(Debug, Default)]
pub struct Shared {
    event_types: HashMap<String, Arc<str>>,
    stream: Option<StreamKey>,
    metadata: Option<(String, Arc<Metadata>)>,
}

impl Shared {
    /// The stream of a row.
    pub fn stream(&mut self, tenant: TenantId, category: &str, id: &str) -> StreamKey {
        if let Some(stream) = &self.stream
            && stream.tenant == tenant
            && *stream.category == *category
            && *stream.id == *id
        {
            return stream.clone();
        }
        self.stream.insert(StreamKey::new(tenant, category, id)).clone()
    }

    /// The type of a row's event.
    pub fn event_type(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.event_types.get(name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = name.into();
        self.event_types.insert(name.to_owned(), Arc::clone(&shared));
        shared
    }

    /// The metadata of a row, whose event has this id.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn metadata(&mut self, json: &str, id: EventId) -> Result<Arc<Metadata>, String> {
        if let Some((_, metadata)) = self.metadata.as_ref().filter(|(text, _)| text == json) {
            return Ok(Arc::clone(metadata));
        }
        let metadata = Arc::new(read_metadata(json, id)?);
        if let Actor::External(_) = metadata.actor {
            // Its command is the event itself: the same text means another command in the next row.
            return Ok(metadata);
        }
        self.metadata = Some((json.to_owned(), Arc::clone(&metadata)));
        Ok(metadata)
    }
}
