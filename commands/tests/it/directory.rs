//! The directory of workflows: who is meant, what is active, which address belongs to whom.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::directory::{Listing, Route, RouteMatch, Routes, TriggerKind};
use timeloom_commands::{Directory, ImportWorkflow};
use timeloom_domain::definition::Settings;
use timeloom_domain::ids::{Actor, EventId, TenantId, WorkflowId};
use timeloom_store::{Append, EventLog, Expected, Metadata, NewEvent, StreamKey};

use crate::bench::{TENANT, World};

/// A file with these triggers: name, type, parameters.
fn file(id: &str, name: &str, triggers: &[(&str, &str, Value)]) -> Vec<u8> {
    let node = |(name, node_type, parameters): &(&str, &str, Value)| {
        json!({
            "name": name, "type": node_type, "typeVersion": 1, "position": [0, 0],
            "parameters": parameters, "webhookId": parameters.get("id"),
        })
    };
    let plain = ("Called", "n8n-nodes-base.executeWorkflowTrigger", json!({}));
    let nodes: Vec<Value> = triggers.iter().chain([&plain]).map(node).collect();
    json!({ "id": id, "name": name, "nodes": nodes, "connections": {} }).to_string().into_bytes()
}

fn webhook(parameters: Value) -> (&'static str, &'static str, Value) {
    ("Webhook", "n8n-nodes-base.webhook", parameters)
}

impl World {
    fn directory(&self) -> Directory {
        Directory::follow(Arc::clone(&self.log) as Arc<dyn EventLog>)
    }

    async fn take_in(&self, source: Vec<u8>) -> WorkflowId {
        let import = ImportWorkflow { workflow_id: None, source };
        self.commands.import_workflow(&self.context(), import).await.unwrap().value
    }

    async fn replace(&self, id: WorkflowId, source: Vec<u8>) {
        let import = ImportWorkflow { workflow_id: Some(id), source };
        self.commands.import_workflow(&self.context(), import).await.unwrap();
    }

    async fn publish(&self, id: WorkflowId) {
        self.commands.publish_workflow(&self.context(), id).await.unwrap();
    }

    async fn activate(&self, id: WorkflowId, version: Option<u32>) {
        self.commands.activate_workflow(&self.context(), id, version).await.unwrap();
    }

    /// A workflow with one webhook, published and active.
    async fn active_webhook(&self, name: &str, parameters: Value) -> WorkflowId {
        let id = self.take_in(file(name, name, &[webhook(parameters)])).await;
        self.publish(id).await;
        self.activate(id, None).await;
        id
    }

    /// Appends an event without asking the workflow.
    async fn append(&self, id: WorkflowId, event_type: &str, payload: Value) {
        let payload = Arc::from(serde_json::value::to_raw_value(&payload).unwrap());
        let command_id = self.context().command_id;
        let actor = Actor::Local("another process".to_owned());
        let metadata =
            Arc::new(Metadata { actor, command_id, causation_id: None, correlation_id: None, request: None });
        let id_of_event = EventId(command_id.0);
        let event = NewEvent { id: id_of_event, event_type: event_type.into(), event_version: 1, payload, metadata };
        let stream = StreamKey::new(TENANT, "workflow", id.to_string());
        self.log.append(Append::new(stream, Expected::Any, vec![event], command_id)).await.unwrap();
    }

    /// What the directory shows of everything that was appended so far.
    async fn seen(&self, directory: &Directory) -> Arc<Listing> {
        directory.wait_for(self.log.head()).await.unwrap()
    }
}

/// Whose webhook a request means: its workflow, version and named parts.
#[track_caller]
fn found(routes: &Routes, method: &str, path: &str) -> (WorkflowId, Option<u32>, Vec<(String, String)>) {
    match routes.find(TENANT, method, path) {
        RouteMatch::Found(route, parts) => {
            let Route { workflow, version, .. } = &**route;
            (workflow.id, *version, parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        }
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn is_nothing(routes: &Routes, method: &str, path: &str) -> bool {
    matches!(routes.find(TENANT, method, path), RouteMatch::Nothing)
}

#[tokio::test]
async fn a_workflow_is_meant_by_its_id_its_files_id_or_its_name() {
    let world = World::new();
    let directory = world.directory();
    let first = world.take_in(file("abc", "Orders", &[])).await;
    let second = world.take_in(file("def", "Orders", &[])).await;
    let odd = world.take_in(file("Orders of old", "abc", &[])).await;
    let listing = world.seen(&directory).await;
    let find = |listing: &Listing, text: &str| listing.find(TENANT, text).map(|entry| entry.id);
    assert_eq!(find(&listing, &first.to_string()), Some(first));
    assert_eq!(
        (find(&listing, "abc"), find(&listing, "def")),
        (Some(first), Some(second)),
        "a file's id before a name"
    );
    assert_eq!(find(&listing, "Orders"), Some(second), "of two the one that was changed last");
    assert_eq!(find(&listing, "Orders of old"), Some(odd));
    assert_eq!((find(&listing, "nobody"), listing.find(TenantId(2), "abc")), (None, None));

    world.publish(first).await;
    world.activate(first, None).await;
    assert_eq!(find(&*world.seen(&directory).await, "Orders"), Some(first), "of two the active one");
    world.replace(second, file("ghi", "Renamed", &[])).await;
    world.commands.archive_workflow(&world.context(), first).await.unwrap();
    let listing = world.seen(&directory).await;
    assert_eq!((find(&listing, "def"), find(&listing, "Renamed")), (None, Some(second)));
    assert_eq!((find(&listing, "Orders"), find(&listing, &first.to_string())), (None, None), "it was put away");
    assert!(listing.workflow(TENANT, first).unwrap().archived);
}

#[tokio::test]
async fn a_published_version_takes_calls_once_it_is_active_and_no_other() {
    let world = World::new();
    let directory = world.directory();
    let id = world.take_in(file("a", "a", &[webhook(json!({ "path": "/old/" }))])).await;
    world.publish(id).await;
    let listing = world.seen(&directory).await;
    assert!(is_nothing(listing.routes(), "GET", "old"), "it is published, not active");
    world.activate(id, None).await;
    world.replace(id, file("a", "a", &[webhook(json!({ "path": "new", "httpMethod": "POST" }))])).await;
    let listing = world.seen(&directory).await;
    assert_eq!(found(listing.routes(), "GET", "old"), (id, Some(1), Vec::new()));
    assert!(is_nothing(listing.routes(), "POST", "new"), "a draft takes no calls");

    world.publish(id).await;
    let listing = world.seen(&directory).await;
    assert_eq!(found(listing.routes(), "POST", "new"), (id, Some(2), Vec::new()), "publishing moves the activation");
    assert!(is_nothing(listing.routes(), "GET", "old"));
    world.activate(id, Some(1)).await;
    let restarted = world.directory();
    for directory in [&directory, &restarted] {
        let listing = world.seen(directory).await;
        assert_eq!(found(listing.routes(), "GET", "old"), (id, Some(1), Vec::new()), "an older version again");
        let entry = listing.workflow(TENANT, id).unwrap();
        assert_eq!((entry.published_version(), entry.active.as_ref().unwrap().version), (Some(2), 1));
    }

    world.commands.deactivate_workflow(&world.context(), id).await.unwrap();
    assert!(is_nothing(world.seen(&directory).await.routes(), "GET", "old"));
    directory.close().await;
}

#[tokio::test]
async fn a_path_is_served_for_its_methods_and_the_others_are_named() {
    let world = World::new();
    let directory = world.directory();
    let read = world.active_webhook("read", json!({ "path": "orders" })).await;
    let write = world.active_webhook("write", json!({ "path": "orders", "httpMethod": ["POST", "put"] })).await;
    let listing = world.seen(&directory).await;
    assert_eq!(found(listing.routes(), "GET", "orders").0, read);
    assert_eq!(found(listing.routes(), "PUT", "orders").0, write);
    match listing.routes().find(TENANT, "DELETE", "orders") {
        RouteMatch::OtherMethods(methods) => assert_eq!(methods, ["GET", "POST", "PUT"]),
        other => panic!("{other:?}"),
    }
    let strangers = TenantId(2);
    assert!(matches!(listing.routes().find(strangers, "GET", "orders"), RouteMatch::Nothing));
}

#[tokio::test]
async fn parts_of_a_path_are_named_and_what_is_written_out_goes_first() {
    let world = World::new();
    let directory = world.directory();
    let any = world.active_webhook("any", json!({ "path": "orders/:order/items/:item", "id": "w1" })).await;
    let list = world.active_webhook("list", json!({ "path": "orders/:order/items/all" })).await;
    let exact = world.active_webhook("exact", json!({ "path": "orders/7/items/all" })).await;
    let listing = world.seen(&directory).await;
    let parts = |parts: &[(&str, &str)]| -> Vec<(String, String)> {
        parts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let routes = listing.routes();
    let named = parts(&[("order", "7"), ("item", "8")]);
    assert_eq!(found(routes, "GET", "w1/orders/7/items/8"), (any, Some(1), named.clone()), "under the webhook's id");
    assert_eq!(
        found(routes, "GET", "orders/7/items/8"),
        (any, Some(1), named),
        "and without it, as nobody else has it"
    );
    assert_eq!(found(routes, "GET", "orders/9/items/all"), (list, Some(1), parts(&[("order", "9")])));
    assert_eq!(found(routes, "GET", "orders/7/items/all"), (exact, Some(1), Vec::new()));
    assert!(is_nothing(routes, "GET", "orders/7/items") && is_nothing(routes, "GET", "orders//items/8"));

    let other = world.active_webhook("other", json!({ "path": "orders/:a/items/:b", "id": "w2" })).await;
    let listing = world.seen(&directory).await;
    let routes = listing.routes();
    assert!(is_nothing(routes, "GET", "orders/7/items/8"), "two want it: each is reached under its own id");
    assert_eq!(
        (found(routes, "GET", "w1/orders/7/items/8").0, found(routes, "GET", "w2/orders/7/items/8").0),
        (any, other)
    );
}

#[tokio::test]
async fn of_two_that_want_an_address_the_one_that_was_active_first_has_it() {
    let world = World::new();
    let directory = world.directory();
    let first = world.active_webhook("first", json!({ "path": "same" })).await;
    let second = world.take_in(file("second", "second", &[webhook(json!({ "path": "same" }))])).await;
    world.publish(second).await;
    // As another process does it that looked at the same moment.
    world.append(second, "WorkflowActivated", json!({ "type": "workflow_activated", "version": 1 })).await;
    world.publish(first).await;
    for directory in [&directory, &world.directory()] {
        assert_eq!(found(world.seen(directory).await.routes(), "GET", "same").0, first);
    }
    world.commands.deactivate_workflow(&world.context(), first).await.unwrap();
    assert_eq!(found(world.seen(&directory).await.routes(), "GET", "same").0, second);
}

#[tokio::test]
async fn what_is_active_is_told_as_it_changes() {
    let world = World::new();
    let directory = world.directory();
    let every = |minutes: u64| json!({ "rule": { "interval": [{ "field": "minutes", "minutesInterval": minutes }] } });
    let schedule = |minutes| {
        [
            ("Every", "n8n-nodes-base.scheduleTrigger", every(minutes)),
            ("On failure", "n8n-nodes-base.errorTrigger", json!({})),
        ]
    };
    let id = world.take_in(file("s", "s", &schedule(5))).await;
    world.publish(id).await;
    let mut changes = directory.changes();
    world.activate(id, None).await;
    let minutes = |listing: &Listing| -> Vec<Value> {
        let schedules = listing.active_triggers(TriggerKind::Schedule);
        schedules.map(|(_, node)| node.parameters["rule"]["interval"][0]["minutesInterval"].clone()).collect()
    };
    let active = Arc::clone(&*changes.wait_for(|listing| !minutes(listing).is_empty()).await.unwrap());
    assert_eq!(minutes(&active), [json!(5)]);
    assert_eq!(active.active_triggers(TriggerKind::Failure).count(), 1);

    world.replace(id, file("s", "s", &schedule(7))).await;
    let settings = Settings { priority: Some(3), ..Settings::default() };
    world.commands.change_workflow_settings(&world.context(), id, settings.clone()).await.unwrap();
    let drafted = world.seen(&directory).await;
    assert_eq!(
        (minutes(&drafted), drafted.activations()),
        (vec![json!(5)], active.activations()),
        "a draft is not active"
    );
    assert_eq!(drafted.workflow(TENANT, id).unwrap().draft.settings, settings);
    world.publish(id).await;
    let published = world.seen(&directory).await;
    assert_eq!(minutes(&published), [json!(7)]);
    assert_ne!(published.activations(), active.activations());
    assert_eq!(published.workflow(TENANT, id).unwrap().active.as_ref().unwrap().facts.settings, settings);
}

#[tokio::test]
async fn a_draft_listens_at_its_test_address_alone() {
    let world = World::new();
    let directory = world.directory();
    let id = world.take_in(file("a", "a", &[webhook(json!({ "path": "try" }))])).await;
    world.commands.listen_for_test(&world.context(), id, 5_000).await.unwrap();
    let listing = world.seen(&directory).await;
    assert_eq!(found(listing.test_routes(), "GET", "try"), (id, None, Vec::new()));
    assert!(is_nothing(listing.routes(), "GET", "try"));
    world.replace(id, file("a", "a", &[webhook(json!({ "path": "moved" }))])).await;
    let listing = world.seen(&directory).await;
    assert!(is_nothing(listing.test_routes(), "GET", "try"));
    assert_eq!(found(listing.test_routes(), "GET", "moved").0, id, "it is the draft as it is now");
    assert_eq!(listing.workflow(TENANT, id).unwrap().listening.unwrap().until_ms, 5_000);
}

#[tokio::test]
async fn a_workflow_with_an_event_that_is_not_known_is_started_by_nothing() {
    let world = World::new();
    let directory = world.directory();
    let known = world.active_webhook("known", json!({ "path": "known" })).await;
    let odd = world.active_webhook("odd", json!({ "path": "odd" })).await;
    assert_eq!(found(world.seen(&directory).await.routes(), "GET", "odd").0, odd);
    world.append(odd, "WorkflowReformed", json!({ "type": "workflow_reformed" })).await;
    for directory in [&directory, &world.directory()] {
        let listing = world.seen(directory).await;
        assert!(is_nothing(listing.routes(), "GET", "odd") && listing.find(TENANT, "odd").is_none());
        assert_eq!(found(listing.routes(), "GET", "known").0, known);
    }
}

#[tokio::test]
async fn a_chat_is_reached_by_its_id_with_post_alone() {
    let world = World::new();
    let directory = world.directory();
    let chat = |parameters: Value| ("Chat", "@n8n/n8n-nodes-langchain.chatTrigger", parameters);
    let id = world.take_in(file("talk", "talk", &[chat(json!({ "id": "c7" }))])).await;
    world.publish(id).await;
    world.activate(id, None).await;
    let listing = world.seen(&directory).await;
    assert_eq!(found(listing.routes(), "POST", "c7/chat"), (id, Some(1), Vec::new()));
    match listing.routes().find(TENANT, "GET", "c7/chat") {
        RouteMatch::OtherMethods(methods) => assert_eq!(methods, ["POST"]),
        other => panic!("{other:?}"),
    }
    assert!(is_nothing(listing.routes(), "POST", "c7"));

    let wrong = [chat(json!({})), chat(json!({ "id": ":any" })), chat(json!({ "id": "c7" }))];
    let wrong = wrong.map(|(_, node_type, parameters)| (parameters["id"].to_string(), node_type, parameters));
    let nodes: Vec<_> = wrong.iter().map(|(name, kind, parameters)| (&**name, *kind, parameters.clone())).collect();
    let other = world.take_in(file("other", "other", &nodes)).await;
    world.publish(other).await;
    let refused = world.commands.activate_workflow(&world.context(), other, None).await.unwrap_err().to_string();
    assert_eq!(refused.matches("webhookId").count(), 5, "{refused}");
    assert!(refused.contains("no webhookId") && refused.contains("listens at POST c7/chat already"), "{refused}");
}
