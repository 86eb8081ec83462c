//! The service of groups.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream::{BoxStream, StreamExt as _};
use timeloom_domain::access::Permission;
use timeloom_domain::event;
use timeloom_domain::ids::{EventId, TenantId};
use timeloom_store::{Direction, Filter, Position, READ_EVENTS_MAX, TenantScope, codec};
use tokio::sync::{mpsc, oneshot};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::desk::Item;
use super::event::{GroupEvent, Source};
use super::group::{self, Group, GroupKey};
use super::registry::mark_name;
use super::work::{Joining, Message, SLOTS_MAX, Verdict};
use super::{CATEGORY, proposals, shown};
use crate::events::Shown;
use crate::front::Front;
use crate::names;
use crate::status;
use crate::wire::persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptions;
use crate::wire::persistent_subscriptions::read_req::nack::Action;
use crate::wire::persistent_subscriptions::read_req::options::uuid_option::Content as IdContent;
use crate::wire::persistent_subscriptions::read_req::{Content, Options};
use crate::wire::persistent_subscriptions::read_resp::read_event::{Count, Position as At, RecordedEvent};
use crate::wire::persistent_subscriptions::read_resp::{self, ReadEvent, SubscriptionConfirmation};
use crate::wire::persistent_subscriptions::{
    CreateReq, CreateResp, DeleteReq, DeleteResp, GetInfoReq, GetInfoResp, ListReq, ListResp, ReadReq, ReadResp,
    ReplayParkedReq, ReplayParkedResp, SubscriptionInfo, UpdateReq, UpdateResp, create_req, delete_req, get_info_req,
    list_req, read_req, replay_parked_req, update_req,
};
use crate::wire::{self, Ids, StreamIdentifier};

/// Groups that one answer tells of.
const LISTED_MAX: usize = 1_000;
/// Events that one message settles.
const SETTLED_MAX: usize = 2_000;
/// Numbers of consumers of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

#[async_trait]
impl PersistentSubscriptions for Front {
    type ReadStream = BoxStream<'static, Result<ReadResp, Status>>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::EventAppend).await?;
        principal.require(Permission::AuditRead).map_err(|error| status::forbidden(error.to_string()))?;
        let options = request.into_inner().options.unwrap_or_default();
        let options = with_old_name(options);
        let name = proposals::name(&options.group_name)?.to_owned();
        let proposals::Proposed { source, after, start_from } = self.proposed(principal.tenant, &options).await?;
        let key = GroupKey::of(principal.tenant, &source, &name);
        let settings = proposals::settings(options.settings.as_ref())?;
        let read = group::read(&*self.inner.parts.log, &key).await?;
        if read.group.is_some() {
            return Err(status::group_exists());
        }
        let created = GroupEvent::ConsumerGroupCreated { name, source, after, start_from, settings };
        self.record(&principal, &key, Some(read.revision), &created).await?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::EventAppend).await?;
        let options = request.into_inner().options.unwrap_or_default();
        let stream = match &options.stream_option {
            Some(update_req::options::StreamOption::Stream(stream)) => Some(stream.stream_identifier.as_ref()),
            Some(update_req::options::StreamOption::All(_)) => None,
            #[expect(deprecated, reason = "older clients name the stream in this way alone")]
            None => Some(options.stream_identifier.as_ref()),
        };
        let (key, group, revision) = self.group(principal.tenant, stream, &options.group_name).await?;
        let mut settings = proposals::updated(options.settings.as_ref())?;
        settings.strategy = group.settings.strategy;
        let updated = GroupEvent::ConsumerGroupUpdated { settings };
        self.record(&principal, &key, Some(revision), &updated).await?;
        self.inner.consumers.changed(&key).await;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::EventAppend).await?;
        let options = request.into_inner().options.unwrap_or_default();
        let stream = match &options.stream_option {
            Some(delete_req::options::StreamOption::StreamIdentifier(stream)) => Some(Some(stream)),
            Some(delete_req::options::StreamOption::All(())) | None => None,
        };
        let (key, _, revision) = self.group(principal.tenant, stream, &options.group_name).await?;
        self.record(&principal, &key, Some(revision), &GroupEvent::ConsumerGroupDeleted {}).await?;
        self.inner.consumers.changed(&key).await;
        Ok(Response::new(DeleteResp {}))
    }

    async fn read(&self, request: Request<Streaming<ReadReq>>) -> Result<Response<Self::ReadStream>, Status> {
        let principal = self.let_in(request.metadata(), Permission::AuditRead).await?;
        let mut requests = request.into_inner();
        let Some(ReadReq { content: Some(Content::Options(options)) }) = requests.message().await? else {
            return Err(status::invalid("who reads a group says first which one"));
        };
        let Options { stream_option, group_name, buffer_size, uuid_option } = options;
        let stream = match &stream_option {
            Some(read_req::options::StreamOption::StreamIdentifier(stream)) => Some(Some(stream)),
            Some(read_req::options::StreamOption::All(())) | None => None,
        };
        let (key, group, _) = self.group(principal.tenant, stream, &group_name).await?;
        let is_audited = match &group.source {
            Source::Stream { name } => event::is_audited(&names::key(principal.tenant, name)?.category),
            Source::All { .. } => true,
        };
        if is_audited {
            self.look(&principal, format!("{} by group {}", key.over, key.name)).await?;
        }
        let ids = match uuid_option.and_then(|option| option.content) {
            Some(IdContent::String(())) => Ids::Text,
            Some(IdContent::Structured(())) | None => Ids::Halves,
        };
        let slots = usize::try_from(buffer_size).unwrap_or(1).clamp(1, SLOTS_MAX);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        // One place more than it has slots: for what it is told first or last.
        let (events, brought) = mpsc::channel(slots + 1);
        let joining = Joining { id, principal, slots, ids, events: events.clone() };
        let messages = self.inner.consumers.join(self, &key, joining).await?;
        self.inner.tasks.spawn(hear(requests, messages, id, events));
        let brought = futures::stream::unfold(brought, async |mut brought| Some((brought.recv().await?, brought)));
        Ok(Response::new(brought.boxed()))
    }

    async fn get_info(&self, request: Request<GetInfoReq>) -> Result<Response<GetInfoResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::AuditRead).await?;
        let options = request.into_inner().options.unwrap_or_default();
        let stream = match &options.stream_option {
            Some(get_info_req::options::StreamOption::StreamIdentifier(stream)) => Some(Some(stream)),
            Some(get_info_req::options::StreamOption::All(())) | None => None,
        };
        let (key, group, _) = self.group(principal.tenant, stream, &options.group_name).await?;
        let subscription_info = Some(self.info(&key, &group).await?);
        Ok(Response::new(GetInfoResp { subscription_info }))
    }

    async fn replay_parked(&self, request: Request<ReplayParkedReq>) -> Result<Response<ReplayParkedResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::EventAppend).await?;
        let options = request.into_inner().options.unwrap_or_default();
        let stream = match &options.stream_option {
            Some(replay_parked_req::options::StreamOption::StreamIdentifier(stream)) => Some(Some(stream)),
            Some(replay_parked_req::options::StreamOption::All(())) | None => None,
        };
        let limit = match options.stop_at_option {
            Some(replay_parked_req::options::StopAtOption::StopAt(count)) => usize::try_from(count).unwrap_or(0),
            Some(replay_parked_req::options::StopAtOption::NoLimit(())) | None => usize::MAX,
        };
        let (key, group, _) = self.group(principal.tenant, stream, &options.group_name).await?;
        let parked = group.parked.iter().filter(|(_, again)| !**again).map(|(position, _)| *position);
        let positions: Vec<Position> = parked.take(limit).collect();
        if !positions.is_empty() {
            self.record(&principal, &key, None, &GroupEvent::ConsumerParkedReplayed { positions }).await?;
            self.inner.consumers.changed(&key).await;
        }
        Ok(Response::new(ReplayParkedResp {}))
    }

    async fn list(&self, request: Request<ListReq>) -> Result<Response<ListResp>, Status> {
        let principal = self.let_in(request.metadata(), Permission::AuditRead).await?;
        let options = request.into_inner().options.unwrap_or_default();
        let over = match options.list_option {
            Some(list_req::options::ListOption::ListForStream(list_req::StreamOption { stream_option })) => {
                Some(match stream_option {
                    Some(list_req::stream_option::StreamOption::Stream(stream)) => {
                        names::read(Some(&stream))?.to_owned()
                    }
                    Some(list_req::stream_option::StreamOption::All(())) | None => "$all".to_owned(),
                })
            }
            Some(list_req::options::ListOption::ListAllSubscriptions(())) | None => None,
        };
        let mut subscriptions = Vec::new();
        for key in self.group_keys(principal.tenant).await? {
            if over.as_ref().is_none_or(|over| *over == key.over)
                && let Some(group) = group::read(&*self.inner.parts.log, &key).await?.group
            {
                subscriptions.push(self.info(&key, &group).await?);
            }
        }
        if subscriptions.is_empty() && over.is_some() {
            return Err(status::no_group());
        }
        Ok(Response::new(ListResp { subscriptions }))
    }

    /// Groups need no restart: each begins to work with its first consumer. Clients look for the call all the same.
    async fn restart_subsystem(&self, request: Request<()>) -> Result<Response<()>, Status> {
        self.let_in(request.metadata(), Permission::EventAppend).await?;
        Ok(Response::new(()))
    }
}

impl Front {
    /// A group that is there.
    async fn group(
        &self,
        tenant: TenantId,
        stream: Option<Option<&StreamIdentifier>>,
        name: &str,
    ) -> Result<(GroupKey, Group, timeloom_store::Revision), Status> {
        let stream = stream.map(names::read).transpose()?;
        let key = GroupKey::new(tenant, stream, proposals::name(name)?);
        let read = group::read(&*self.inner.parts.log, &key).await?;
        let group = read.group.ok_or_else(status::no_group)?;
        Ok((key, group, read.revision))
    }

    /// The groups that were ever made, each once.
    async fn group_keys(&self, tenant: TenantId) -> Result<Vec<GroupKey>, Status> {
        let filter = Filter {
            categories: vec![CATEGORY.into()],
            event_types: vec!["ConsumerGroupCreated".into()],
            stream: None,
        };
        let (log, mut after) = (&self.inner.parts.log, Position::START);
        let mut keys: Vec<GroupKey> = Vec::new();
        loop {
            let scope = TenantScope::One(tenant);
            let page = log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await;
            let page = page.map_err(|error| status::fault(&error))?;
            for event in &page {
                after = event.position;
                let decoded = codec::decode::<GroupEvent>(event).map_err(|error| status::fault(&error))?;
                if let GroupEvent::ConsumerGroupCreated { name, source, .. } = decoded {
                    let key = GroupKey::of(tenant, &source, &name);
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
            if page.len() < READ_EVENTS_MAX || keys.len() >= LISTED_MAX {
                keys.truncate(LISTED_MAX);
                return Ok(keys);
            }
        }
    }

    async fn info(&self, key: &GroupKey, group: &Group) -> Result<SubscriptionInfo, Status> {
        let statistics = match self.inner.consumers.messages(key).await {
            Some(messages) => {
                let (asked, told) = oneshot::channel();
                match messages.send(Message::Tell(asked)).await {
                    Ok(()) => told.await.ok(),
                    Err(_) => None,
                }
            }
            None => None,
        };
        let settled = match &statistics {
            Some(known) => known.settled,
            None => {
                let marked = self.inner.parts.mark(&mark_name(key, group)).load().await;
                let marked = marked.map_err(|error| status::fault(&error))?;
                group.after.max(Position(marked.unwrap_or(0)))
            }
        };
        let settled = self.place(key, group, settled).await?;
        let head = self.place(key, group, self.inner.parts.log.head()).await?.unwrap_or_default();
        Ok(shown::info(key, group, settled, head, statistics))
    }

    /// A position as a group's own clients count: in its stream by revisions, in the whole log by positions.
    async fn place(&self, key: &GroupKey, group: &Group, position: Position) -> Result<Option<String>, Status> {
        let Source::Stream { name } = &group.source else {
            return Ok((position.0 > 0).then(|| format!("C:{position}/P:{position}")));
        };
        let filter = Filter { stream: Some(names::key(key.tenant, name)?), ..Filter::default() };
        let scope = TenantScope::One(key.tenant);
        let read = self.inner.parts.log.read_all(scope, position, Direction::Backward, &filter, 1).await;
        let read = read.map_err(|error| status::fault(&error))?;
        Ok(read.first().map(|event| event.revision.0.saturating_sub(1).to_string()))
    }
}

/// Hands on what a consumer says, and that it has gone.
async fn hear(
    mut requests: Streaming<ReadReq>,
    messages: mpsc::Sender<Message>,
    by: u64,
    events: mpsc::Sender<Result<ReadResp, Status>>,
) {
    loop {
        let request = tokio::select! {
            request = requests.message() => request,
            // The client has closed its end.
            () = events.closed() => break,
            () = messages.closed() => return,
        };
        let Ok(Some(ReadReq { content: Some(content) })) = request else { break };
        let Some((ids, verdict, reason)) = said(content) else { break };
        let settled = Message::Settle { by, events: ids, verdict, reason };
        if messages.send(settled).await.is_err() || verdict == Verdict::Stop {
            return;
        }
    }
    // A group that has ended has no consumers.
    let _ = messages.send(Message::Leave(by)).await;
}

/// What a message says of which events; `None` when it says nothing that a consumer may say.
fn said(content: Content) -> Option<(Vec<EventId>, Verdict, String)> {
    let (ids, verdict, reason) = match content {
        Content::Ack(ack) => (ack.ids, Verdict::Done, String::new()),
        Content::Nack(nack) => {
            let verdict = match Action::try_from(nack.action) {
                Ok(Action::Park) => Verdict::Park,
                Ok(Action::Skip) => Verdict::Skip,
                Ok(Action::Stop) => Verdict::Stop,
                Ok(Action::Retry | Action::Unknown) | Err(_) => Verdict::Retry,
            };
            (nack.ids, verdict, nack.reason)
        }
        Content::Options(_) => return None,
    };
    (ids.len() <= SETTLED_MAX)
        .then(|| (ids.iter().filter_map(|id| wire::read_event_id(Some(id))).collect(), verdict, reason))
}

/// An older client names the stream in another field.
fn with_old_name(options: create_req::Options) -> create_req::Options {
    #[expect(deprecated, reason = "older clients name the stream in this way alone")]
    let (old, settings) = (options.stream_identifier.clone(), options.settings.clone());
    if options.stream_option.is_some() || old.is_none() {
        return options;
    }
    #[expect(deprecated, reason = "older clients say where it begins in this way alone")]
    let revision = settings.map_or(0, |settings| settings.revision);
    let revision_option = Some(create_req::stream_options::RevisionOption::Revision(revision));
    let stream = create_req::StreamOptions { stream_identifier: old, revision_option };
    create_req::Options { stream_option: Some(create_req::options::StreamOption::Stream(stream)), ..options }
}

/// What a consumer hears first.
pub(crate) fn confirmation(subscription_id: String) -> ReadResp {
    let confirmation = SubscriptionConfirmation { subscription_id };
    ReadResp { content: Some(read_resp::Content::SubscriptionConfirmation(confirmation)) }
}

/// An event as a consumer gets it.
pub(crate) fn given(item: &Item, ids: Ids) -> ReadResp {
    let Shown { id, stream, revision, position, about, metadata, data } = Shown::of(&item.event, ids);
    let event = RecordedEvent {
        id: Some(id),
        stream_identifier: Some(wire::stream(stream)),
        stream_revision: revision,
        prepare_position: position,
        commit_position: position,
        metadata: about,
        custom_metadata: metadata,
        data,
    };
    let count = Some(Count::RetryCount(i32::try_from(item.retries).unwrap_or(i32::MAX)));
    let event = ReadEvent { event: Some(event), link: None, position: Some(At::CommitPosition(position)), count };
    ReadResp { content: Some(read_resp::Content::Event(event)) }
}
