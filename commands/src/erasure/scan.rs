//! Finds what the log has of a subject. Reads the log as it is stored: a seal names its key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::TenantId;
use timeloom_domain::subject::Subject;
use timeloom_store::subjects::keys_of;
use timeloom_store::{
    BlobHash, Direction, Filter, KeyId, Position, READ_EVENTS_MAX, RecordedEvent, StreamKey, TenantScope,
};

use super::Erasures;
use crate::CommandError;

/// Events read at a time: they may be large.
const PAGE_EVENTS: usize = if READ_EVENTS_MAX < 200 { READ_EVENTS_MAX } else { 200 };

/// What the log has of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Events by category of their stream.
    pub events: BTreeMap<String, u64>,
    /// Streams, with how many events of each have data of the subject.
    pub streams: BTreeMap<StreamKey, u64>,
    /// Attachments that nothing else names.
    pub attachments: BTreeSet<BlobHash>,
    /// Executions that have not ended.
    pub under_way: u64,
}

impl Found {
    /// How many events have data of it.
    pub fn count(&self) -> u64 {
        self.streams.values().sum()
    }
}

/// What there is beside days of the retention.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Keys of subjects, with the days that have data of them.
    pub(super) subjects: HashMap<KeyId, BTreeSet<KeyId>>,
    /// Days that have an execution which has not ended.
    pub(super) under_way: BTreeSet<KeyId>,
}

/// What an erasure would take, and what is in its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Affected {
    /// What stands for the subject.
    pub id: KeyId,
    /// What the log has of it.
    pub found: Found,
    /// Whether it is an account that still lets somebody in.
    pub lets_in: bool,
    /// What was asked for and decided.
    pub subject: Subject,
}

/// Whether it is the log of something that runs.
fn runs(stream: &StreamKey) -> bool {
    [ExecutionEvent::CATEGORY, AgentRunEvent::CATEGORY].contains(&&*stream.category)
}

/// Whether an execution or a run of an agent is under way after an event; `None` where it says nothing of that.
fn runs_after(event: &RecordedEvent) -> Option<bool> {
    match &*event.event_type {
        "ExecutionCompleted"
        | "ExecutionFailed"
        | "ExecutionCancelled"
        | "ExecutionContinuedAsNew"
        | "AgentRunCompleted"
        | "AgentRunFailed"
        | "AgentRunCancelled" => Some(false),
        "ExecutionStarted" | "ExecutionRetried" | "ExecutionForked" | "ExecutionContinued" | "AgentRunStarted"
        | "AgentRunForked" => Some(true),
        _ => None,
    }
}

impl Erasures {
    /// What the log has under these keys.
    pub(super) async fn scan(&self, tenant: TenantId, ids: &[KeyId]) -> Result<Found, CommandError> {
        let mut found = Found::default();
        let mut open: HashMap<StreamKey, bool> = HashMap::new();
        self.each(tenant, |event| {
            let is_own = keys_of(&event.payload).iter().any(|key| ids.contains(key));
            if is_own {
                *found.events.entry(event.stream.category.to_string()).or_default() += 1;
                *found.streams.entry(event.stream.clone()).or_default() += 1;
                found.attachments.extend(BlobHash::of_attachments(event.payload.get()));
            }
            if runs(&event.stream)
                && let Some(runs) = runs_after(event)
                && (is_own || open.contains_key(&event.stream))
            {
                open.insert(event.stream.clone(), runs);
            }
        })
        .await?;
        found.under_way = open.values().filter(|runs| **runs).count() as u64;
        if !found.attachments.is_empty() {
            // What others name as well is theirs too, in whatever tenant.
            let attachments = &mut found.attachments;
            self.each_of(TenantScope::All, |event| {
                if !keys_of(&event.payload).iter().any(|key| ids.contains(key)) {
                    for named in BlobHash::of_attachments(event.payload.get()) {
                        attachments.remove(&named);
                    }
                }
            })
            .await?;
        }
        Ok(found)
    }

    /// What there is beside days of the retention: subjects with which data of them is sealed as well, and executions that
    /// have not ended.
    pub(super) async fn beside(&self, tenant: TenantId, days: &BTreeSet<KeyId>) -> Result<Beside, CommandError> {
        let mut beside = Beside::default();
        let mut open: HashMap<StreamKey, Vec<KeyId>> = HashMap::new();
        self.each(tenant, |event| {
            let keys = keys_of(&event.payload);
            let (own, others): (Vec<KeyId>, Vec<KeyId>) = keys.into_iter().partition(|key| days.contains(key));
            if !own.is_empty() {
                for other in others {
                    beside.subjects.entry(other).or_default().extend(own.iter().copied());
                }
            }
            if runs(&event.stream) {
                match runs_after(event) {
                    Some(true) if !own.is_empty() => {
                        open.insert(event.stream.clone(), own);
                    }
                    Some(false) => {
                        open.remove(&event.stream);
                    }
                    Some(true) | None => {}
                }
            }
        })
        .await?;
        beside.under_way.extend(open.into_values().flatten());
        Ok(beside)
    }

    async fn each(&self, tenant: TenantId, see: impl FnMut(&RecordedEvent) + Send) -> Result<(), CommandError> {
        self.each_of(TenantScope::One(tenant), see).await
    }

    async fn each_of(
        &self,
        scope: TenantScope,
        mut see: impl FnMut(&RecordedEvent) + Send,
    ) -> Result<(), CommandError> {
        let stored = &self.inner.parts.stored;
        let (filter, mut after, end) = (Filter::default(), Position::START, stored.head());
        while after < end {
            let page = stored.read_all(scope, after, Direction::Forward, &filter, PAGE_EVENTS).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            page.iter().for_each(|event| see(event));
        }
        Ok(())
    }
}
