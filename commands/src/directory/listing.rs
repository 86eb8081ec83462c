//! All workflows at one moment, and how to find one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::{Position, RecordedEvent, codec};

use super::entry::{TriggerKind, TriggerNode, WorkflowEntry};
use super::routes::Routes;
use crate::live;

type Key = (TenantId, WorkflowId);
type Names = HashMap<(TenantId, Arc<str>), BTreeSet<WorkflowId>>;

/// All workflows at one moment. Copies share what did not change.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    workflows: Arc<HashMap<Key, Arc<WorkflowEntry>>>,
    by_file_id: Arc<Names>,
    by_name: Arc<Names>,
    /// Workflows of which an event is not known: they are in no list.
    unknown: Arc<HashSet<Key>>,
    routes: Arc<Routes>,
    test_routes: Arc<Routes>,
    form_routes: Arc<Routes>,
    test_form_routes: Arc<Routes>,
    activations: u64,
    position: Position,
    is_caught_up: bool,
}

impl Listing {
    /// The workflow of that id.
    pub fn workflow(&self, tenant: TenantId, id: WorkflowId) -> Option<&Arc<WorkflowEntry>> {
        self.workflows.get(&(tenant, id))
    }

    /// All workflows, those that were put away too, in no order.
    pub fn workflows(&self) -> impl Iterator<Item = &Arc<WorkflowEntry>> {
        self.workflows.values()
    }

    /// The workflow that is meant by an id of ours, else by the id in its file, else by its name. Of several with the same,
    /// it is the active one, else the one that was changed last. What was put away is not found.
    pub fn find(&self, tenant: TenantId, reference: &str) -> Option<&Arc<WorkflowEntry>> {
        let living = |entry: &&Arc<WorkflowEntry>| !entry.archived;
        let by_id = reference.parse().ok().and_then(|id| self.workflow(tenant, id)).filter(living);
        by_id.or_else(|| {
            let key = (tenant, Arc::from(reference));
            [&self.by_file_id, &self.by_name].into_iter().find_map(|names| {
                let named = names.get(&key).into_iter().flatten().filter_map(|id| self.workflow(tenant, *id));
                named.filter(living).max_by_key(|entry| (entry.active.is_some(), entry.position))
            })
        })
    }

    /// The triggers of one kind of all active versions, in no order.
    pub fn active_triggers(&self, kind: TriggerKind) -> impl Iterator<Item = (&Arc<WorkflowEntry>, &Arc<TriggerNode>)> {
        self.workflows().flat_map(move |entry| {
            entry.active.iter().flat_map(move |active| active.facts.of_kind(kind)).map(move |trigger| (entry, trigger))
        })
    }

    /// The addresses of the webhooks of active versions.
    pub fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }

    /// The addresses of the webhooks of drafts that were told to listen; their time may be up.
    pub fn test_routes(&self) -> &Arc<Routes> {
        &self.test_routes
    }

    /// The addresses of the forms of active versions.
    pub fn form_routes(&self) -> &Arc<Routes> {
        &self.form_routes
    }

    /// The addresses of the forms of drafts that were told to listen; their time may be up.
    pub fn test_form_routes(&self) -> &Arc<Routes> {
        &self.test_form_routes
    }

    /// Counts the changes of what is active: as long as it stays, so do the active triggers.
    pub fn activations(&self) -> u64 {
        self.activations
    }

    /// Every event of a workflow up to here is in it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether everything is in it that was in the log when the directory began.
    pub fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn change(&mut self, key: Key, event: &WorkflowEvent, recorded: &RecordedEvent) {
        let before = self.workflows.get(&key).cloned();
        let mut after = before.as_deref().cloned().unwrap_or_else(|| WorkflowEntry::new(key.0, key.1));
        after.apply(event, recorded);
        self.rename(before.as_deref(), &after);
        let activation = before.as_ref().and_then(|entry| entry.active.as_ref()) != after.active.as_ref();
        let listens = |entry: &WorkflowEntry| entry.listening.map(|listening| (listening, Arc::clone(&entry.draft)));
        let listening = before.as_ref().and_then(|entry| listens(entry)) != listens(&after);
        Arc::make_mut(&mut self.workflows).insert(key, Arc::new(after));
        self.activations += u64::from(activation);
        self.route_again(activation, listening);
    }

    fn forget(&mut self, key: Key) {
        let Some(entry) = Arc::make_mut(&mut self.workflows).remove(&key) else { return };
        for (names, name) in
            [(&mut self.by_file_id, entry.draft.file_id.as_deref()), (&mut self.by_name, Some(&*entry.draft.name))]
        {
            remove_name(names, key, name);
        }
        self.activations += u64::from(entry.active.is_some());
        self.route_again(entry.active.is_some(), entry.listening.is_some());
    }

    fn rename(&mut self, before: Option<&WorkflowEntry>, after: &WorkflowEntry) {
        let key = (after.tenant, after.id);
        let old_file_id = before.and_then(|entry| entry.draft.file_id.as_deref());
        let new_file_id = after.draft.file_id.as_deref();
        let (old_name, new_name) = (before.map(|entry| entry.draft.name.as_str()), Some(after.draft.name.as_str()));
        for (names, old, new) in
            [(&mut self.by_file_id, old_file_id, new_file_id), (&mut self.by_name, old_name, new_name)]
        {
            if old != new {
                remove_name(names, key, old);
                if let Some(new) = new {
                    Arc::make_mut(names).entry((key.0, Arc::from(new))).or_default().insert(key.1);
                }
            }
        }
    }

    /// Makes the tables of addresses again that changed. Not before it is caught up: nobody looks at them until then.
    fn route_again(&mut self, active: bool, listening: bool) {
        if active && self.is_caught_up {
            self.routes = Arc::new(Routes::of_active(TriggerKind::Webhook, self.workflows.values()));
            self.form_routes = Arc::new(Routes::of_active(TriggerKind::Form, self.workflows.values()));
        }
        if listening && self.is_caught_up {
            self.test_routes = Arc::new(Routes::of_listening(TriggerKind::Webhook, self.workflows.values()));
            self.test_form_routes = Arc::new(Routes::of_listening(TriggerKind::Form, self.workflows.values()));
        }
    }
}

fn remove_name(names: &mut Arc<Names>, (tenant, id): Key, name: Option<&str>) {
    let Some(name) = name else { return };
    let (key, names) = ((tenant, Arc::from(name)), Arc::make_mut(names));
    if let Some(ids) = names.get_mut(&key) {
        ids.remove(&id);
        if ids.is_empty() {
            names.remove(&key);
        }
    }
}

impl live::Listing for Listing {
    const NAME: &'static str = "workflows";

    fn categories() -> Vec<Arc<str>> {
        vec![WorkflowEvent::CATEGORY.into()]
    }

    fn position(&self) -> Position {
        self.position
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    fn passed(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    fn caught_up_at(&mut self, position: Position) {
        self.passed(position);
        if !self.is_caught_up {
            self.is_caught_up = true;
            self.route_again(true, true);
        }
    }

    fn apply(&mut self, recorded: &RecordedEvent) {
        self.passed(recorded.position);
        let Ok(id) = recorded.stream.id.parse::<WorkflowId>() else { return };
        let key = (recorded.stream.tenant, id);
        if self.unknown.contains(&key) {
            return;
        }
        match codec::decode::<WorkflowEvent>(recorded) {
            Ok(event) => self.change(key, &event, recorded),
            Err(error) => {
                tracing::error!(workflow_id = %id, %error, "a workflow is not known as it is now: nothing starts it");
                Arc::make_mut(&mut self.unknown).insert(key);
                self.forget(key);
            }
        }
    }
}
