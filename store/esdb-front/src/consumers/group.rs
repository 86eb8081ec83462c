//! A group as its events tell it, and how they are read and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::access::Principal;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{CommandId, EventId, TenantId};
use timeloom_store::{
    Append, AppendError, Direction, EventLog, Expected, Metadata, NewEvent, Position, READ_EVENTS_MAX, RequestFacts,
    Revision, StreamKey, codec,
};
use tonic::Status;
use uuid::Uuid;

use super::CATEGORY;
use super::event::{GroupEvent, Settings, Source};
use crate::front::Front;
use crate::status;

/// The ids of groups are made in this space, of what they are over and what they are called. Frozen.
const SPACE: Uuid = Uuid::from_u128(0x8d1e_4b7a_90c3_4f25_a6d8_31f7_04be_952c);
/// What a group over the whole log is over.
const ALL: &str = "$all";

/// Which group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GroupKey {
    pub(crate) tenant: TenantId,
    /// The name of a stream, or `$all`.
    pub(crate) over: String,
    pub(crate) name: String,
}

impl GroupKey {
    pub(crate) fn new(tenant: TenantId, stream: Option<&str>, name: &str) -> Self {
        Self { tenant, over: stream.unwrap_or(ALL).to_owned(), name: name.to_owned() }
    }

    pub(crate) fn of(tenant: TenantId, source: &Source, name: &str) -> Self {
        match source {
            Source::Stream { name: stream } => Self::new(tenant, Some(stream), name),
            Source::All { .. } => Self::new(tenant, None, name),
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        Uuid::new_v5(&SPACE, format!("{}\n{}", self.over, self.name).as_bytes())
    }

    fn stream(&self) -> StreamKey {
        StreamKey::new(self.tenant, CATEGORY, self.id().to_string())
    }
}

/// A group as its events tell it.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) source: Source,
    pub(crate) after: Position,
    pub(crate) start_from: String,
    pub(crate) settings: Settings,
    /// Where it was made: a group that is made again is another one.
    pub(crate) created: Position,
    /// What was put aside, and whether it is to be given again.
    pub(crate) parked: BTreeMap<Position, bool>,
}

/// What was read of a group.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) group: Option<Group>,
    pub(crate) revision: Revision,
}

impl Read {
    fn apply(&mut self, position: Position, event: GroupEvent) {
        match (event, &mut self.group) {
            (GroupEvent::ConsumerGroupCreated { name, source, after, start_from, settings }, group) => {
                let parked = BTreeMap::new();
                *group = Some(Group { name, source, after, start_from, settings, created: position, parked });
            }
            (GroupEvent::ConsumerGroupDeleted {}, group) => *group = None,
            (GroupEvent::ConsumerGroupUpdated { settings }, Some(group)) => group.settings = settings,
            (GroupEvent::ConsumerEventParked { position, .. }, Some(group)) => {
                group.parked.insert(position, false);
            }
            (GroupEvent::ConsumerParkedReplayed { positions }, Some(group)) => {
                for position in positions {
                    group.parked.entry(position).and_modify(|again| *again = true);
                }
            }
            (GroupEvent::ConsumerParkedSettled { position }, Some(group)) => {
                group.parked.remove(&position);
            }
            (_, None) => {}
        }
    }
}

/// Reads a group.
pub(crate) async fn read(log: &dyn EventLog, key: &GroupKey) -> Result<Read, Status> {
    let (stream, mut read) = (key.stream(), Read::default());
    loop {
        let page = log.read_stream(&stream, read.revision, Direction::Forward, READ_EVENTS_MAX).await;
        let page = page.map_err(|error| status::fault(&error))?;
        for event in &page {
            let decoded = codec::decode::<GroupEvent>(event).map_err(|error| status::fault(&error))?;
            read.apply(event.position, decoded);
            read.revision = event.revision;
        }
        if page.len() < READ_EVENTS_MAX {
            return Ok(read);
        }
    }
}

impl Front {
    /// Writes down what happened to a group, which must be at `revision` where one is given.
    pub(crate) async fn record(
        &self,
        principal: &Principal,
        key: &GroupKey,
        revision: Option<Revision>,
        event: &GroupEvent,
    ) -> Result<(), Status> {
        let ids = &self.inner.parts.ids;
        let command_id = CommandId(ids.uuid());
        let facts = RequestFacts {
            on_behalf_of: principal.on_behalf_of.clone(),
            via: principal.via.as_deref().map(str::to_owned),
            ..RequestFacts::default()
        };
        let request = (facts != RequestFacts::default()).then(|| Arc::new(facts));
        let encoded = codec::encode(event).map_err(|error| status::fault(&error))?;
        let new = NewEvent {
            id: EventId(ids.uuid()),
            event_type: event.event_type().into(),
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Arc::new(Metadata { request, ..Metadata::new(principal.actor.clone(), command_id) }),
        };
        let expected = revision.map_or(Expected::Exists, |revision| match revision {
            Revision(0) => Expected::NoStream,
            revision => Expected::Exact(revision),
        });
        let append = Append::new(key.stream(), expected, vec![new], command_id);
        match self.inner.parts.log.append(append).await {
            Ok(_) => Ok(()),
            Err(AppendError::WrongRevision { .. }) => {
                Err(Status::aborted("somebody else changed this group at the same moment: try again"))
            }
            Err(error) => Err(status::of_append(&error)),
        }
    }
}
