//! Each table's fold: what a story makes of a row.

use serde_json::json;
use timeloom_domain::credential::{CredentialEvent, Sealed};
use timeloom_domain::definition::Settings;
use timeloom_domain::execution::{
    ExecutionEvent, ExecutionMode, ExecutionStatus, NodeRunStatus, PauseReason, TriggerKind,
};
use timeloom_domain::ids::TenantId;
use timeloom_domain::model::ModelEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::{Folder, WorkflowEvent};
use timeloom_projections::{ExecutionFilter, NodeRunRange, Page, SavedFact, SettingsSummary, Side, WorkflowFilter};
use timeloom_store::Revision;

use crate::places::Place;
use crate::world::{
    TENANT, Told, caught_up, completed, continued, credential_id, definition, execution_id, items, link_of_fork,
    log_of, position, run, saved, slug, start, told, told_by, workflow_id,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_row_follows_its_draft_and_remembers_what_is_published() {
    let id = workflow_id(0);
    let settings = Settings { execution_timeout: Some(30.0), ..Settings::default() };
    let story = [
        told(id, &WorkflowEvent::WorkflowCreated { definition: definition("first", 2) }),
        told(id, &WorkflowEvent::WorkflowVersionPublished { version: 1 }),
        told(id, &WorkflowEvent::WorkflowUpdated { definition: definition("second", 5) }),
        told(id, &WorkflowEvent::WorkflowSettingsChanged { settings }),
        told(id, &WorkflowEvent::WorkflowPinsChanged { node: "n0".to_owned(), items: Some(items(3)) }),
        told(id, &WorkflowEvent::WorkflowMoved { folder: Folder::try_new("Bills/Late").unwrap() }),
        told(id, &WorkflowEvent::WorkflowArchived {}),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.workflow(TENANT, id, Some(position(at))).await.unwrap();

        assert_eq!(at(0).await, None);
        let created = at(1).await.unwrap();
        assert_eq!((created.name.as_str(), created.node_count, created.published_version), ("first", 2, None));
        assert_eq!(created.settings.timezone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(at(2).await.unwrap().published_version, Some(1));
        let updated = at(3).await.unwrap();
        assert_eq!((updated.name.as_str(), updated.node_count, updated.published_version), ("second", 5, Some(1)));
        let expected = SettingsSummary { execution_timeout: Some(30.0), ..SettingsSummary::default() };
        assert_eq!(at(4).await.unwrap().settings, expected);
        assert!(!at(5).await.unwrap().archived);
        let archived = models.workflow(TENANT, id, None).await.unwrap().unwrap();
        assert!(archived.archived);
        assert_eq!(archived.provenance.created_position, position(1));
        assert_eq!((archived.provenance.updated_position, archived.provenance.revision), (position(7), Revision(7)));
        assert_eq!(archived.provenance.created_at, created.provenance.updated_at);

        let filter = |archived| WorkflowFilter { archived: Some(archived), ..WorkflowFilter::default() };
        let count = async |as_of, archived| {
            models.workflows(TENANT, as_of, &Page::first(10), &filter(archived)).await.unwrap().rows.len()
        };
        assert_eq!((count(None, true).await, count(None, false).await), (1, 0));
        assert_eq!((count(Some(position(5)), true).await, count(Some(position(5)), false).await), (0, 1));
        let folder = |path: &str| Some(Folder::try_new(path).unwrap());
        let found = async |as_of, name: Option<&str>, folder| {
            let filter = WorkflowFilter { name: name.map(str::to_owned), folder, ..WorkflowFilter::default() };
            models.workflows(TENANT, as_of, &Page::first(10), &filter).await.unwrap().rows.len()
        };
        assert_eq!((found(None, Some("ECON"), None).await, found(None, Some("first"), None).await), (1, 0));
        assert_eq!(found(Some(position(2)), Some("first"), None).await, 1, "a name is that of the moment");
        for (path, count) in [("Bills", 1), ("Bills/Late", 1), ("Bills/Late/x", 0), ("Bill", 0), ("", 1)] {
            assert_eq!(found(None, None, folder(path)).await, count, "{path}");
        }
        assert_eq!(found(Some(position(5)), None, folder("Bills")).await, 0, "it was moved later");
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_rows_tell_names_of_fields_and_nothing_of_their_values() {
    let (id, sealed) = (credential_id(0), |key: &str| Sealed {
        key: key.to_owned(),
        nonce: "bm9uY2U=".to_owned(),
        ciphertext: "Y2lwaGVydGV4dA==".to_owned(),
        // Rows tell the version by counting, also of seals that do not.
        data_key: None,
    });
    let saved = |fields: &[&str], key: &str| CredentialEvent::CredentialSaved {
        name: "Mailer".to_owned(),
        credential_type: "httpBasicAuth".to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        sealed: sealed(key),
    };
    let story = [
        told(id, &saved(&["user", "password"], "k1")),
        told(id, &CredentialEvent::CredentialResealed { sealed: sealed("k2") }),
        told(id, &CredentialEvent::CredentialDeleted {}),
        told(id, &saved(&["user"], "k2")),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let row = async |at| models.credential(TENANT, id, Some(position(at))).await.unwrap().unwrap();
        let listed = async |at| models.credentials(TENANT, Some(position(at)), &Page::first(5)).await.unwrap().rows;
        assert_eq!(
            (row(1).await.fields, row(1).await.key.as_str()),
            (vec!["user".to_owned(), "password".to_owned()], "k1")
        );
        assert_eq!((row(2).await.key.as_str(), row(2).await.deleted), ("k2", false));
        assert_eq!((row(3).await.deleted, listed(2).await.len(), listed(3).await.len()), (true, 1, 0));
        assert_eq!(listed(4).await, [row(4).await]);
        assert_eq!([row(1).await.version, row(2).await.version, row(4).await.version], [1, 1, 2]);
        assert_eq!(row(4).await.provenance.created_position, position(1));
        models.close().await.unwrap();
        let dump = place.dump().await.concat();
        assert!(dump.contains("Mailer") && !dump.contains("bm9uY2U") && !dump.contains("Y2lwaGVy"), "{dump}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_and_model_rows_follow_their_streams() {
    let name = slug(0);
    let (digest, format) = ("ab".repeat(32), "onnx".to_owned());
    let registered = PluginEvent::PluginRegistered { name: name.clone(), description: "p".to_owned() };
    let story = [
        told(&name, &registered),
        told(&name, &PluginEvent::PluginVersionAdded { version: "1.0".to_owned(), digest: digest.clone() }),
        told(&name, &PluginEvent::PluginEnabled { version: "1.0".to_owned() }),
        told(&name, &PluginEvent::PluginDisabled { reason: "unsafe".to_owned() }),
        told(&name, &PluginEvent::PluginRetired {}),
        told(&name, &ModelEvent::ModelRegistered { name: name.clone(), description: "m".to_owned() }),
        told(&name, &ModelEvent::ModelVersionAdded { version: 1, format, digest, file: None }),
        told(&name, &ModelEvent::ModelPromoted { version: 1, from: None, reason: None }),
        told(&name, &ModelEvent::ModelDisabled { reason: "slow".to_owned() }),
        told(&name, &ModelEvent::ModelEnabled {}),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let plugin = async |at| models.plugin(TENANT, &name, Some(position(at))).await.unwrap().unwrap();
        let model = async |at| models.model(TENANT, &name, Some(position(at))).await.unwrap().unwrap();

        assert_eq!(plugin(3).await.enabled_version.as_deref(), Some("1.0"));
        assert_eq!(plugin(3).await.versions.len(), 1);
        let disabled = plugin(4).await;
        assert_eq!((disabled.enabled_version, disabled.disabled_reason.as_deref()), (None, Some("unsafe")));
        assert!(plugin(5).await.retired);
        assert_eq!(model(8).await.model.promoted_version, Some(1));
        assert_eq!((model(9).await.model.disabled, model(9).await.disabled_reason.as_deref()), (true, Some("slow")));
        assert_eq!((model(10).await.model.disabled, model(10).await.disabled_reason), (false, None));
        assert_eq!(models.plugins(TENANT, None, &Page::first(5)).await.unwrap().rows.len(), 1);
        assert_eq!(models.models(TENANT, Some(position(5)), &Page::first(5)).await.unwrap().rows.len(), 0);
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_row_changes_with_its_status_and_counts_nodes_at_its_end() {
    let id = execution_id(0);
    let error = json!({"name": "NodeError", "message": "no such host", "description": "…"});
    let story = [
        told(id, &start(1)),
        told(id, &completed(0, &[1])),
        told(id, &completed(1, &[1])),
        told(
            id,
            &ExecutionEvent::ExecutionWaiting { node: "n1".to_owned(), until_ms: Some(7_000), run: None, resume: None },
        ),
        told(id, &ExecutionEvent::ExecutionResumed { node: "n1".to_owned(), cause: None, items: None }),
        told(id, &node_failed(2)),
        told(id, &ExecutionEvent::ExecutionFailed { node: Some("n2".to_owned()), error, at_ms: 9_000 }),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.execution(TENANT, id, Some(position(at))).await.unwrap().unwrap();

        let running = at(3).await;
        assert_eq!((running.status, running.updated_position), (ExecutionStatus::Running, position(1)));
        assert_eq!((running.workflow_version, running.mode), (Some(1), ExecutionMode::Production));
        assert_eq!(running.nodes_completed, None);
        let waiting = at(4).await;
        assert_eq!((waiting.status, waiting.waiting_until_ms), (ExecutionStatus::Waiting, Some(7_000)));
        assert_eq!(at(5).await.waiting_until_ms, None);
        let failed = at(7).await;
        assert_eq!((failed.status, failed.ended_at_ms), (ExecutionStatus::Failed, Some(9_000)));
        assert_eq!((failed.error.as_deref(), failed.error_node.as_deref()), (Some("no such host"), Some("n2")));
        assert_eq!((failed.nodes_completed, failed.nodes_failed), (Some(2), Some(1)));
        assert_eq!((failed.created_position, failed.revision), (position(1), Revision(7)));
        models.close().await.unwrap();
    }
}

fn failed_run() -> ExecutionEvent {
    ExecutionEvent::ExecutionFailed {
        node: Some("n2".to_owned()),
        error: json!({"message": "no such host"}),
        at_ms: 9_000,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_row_tells_why_it_runs_and_what_holds_it_up() {
    let id = execution_id(0);
    let pause = PauseReason::Breakpoint { node: "n2".to_owned() };
    let waiting =
        ExecutionEvent::ExecutionWaiting { node: "n1".to_owned(), until_ms: Some(7_000), run: None, resume: None };
    let story = [
        told(id, &start(1)),
        told(id, &waiting),
        told(id, &ExecutionEvent::ExecutionPaused { reason: pause.clone(), at_ms: 6 }),
        told(id, &ExecutionEvent::ExecutionResumed { node: "n1".to_owned(), cause: None, items: None }),
        told(id, &ExecutionEvent::ExecutionUnpaused { step: true }),
        told(id, &ExecutionEvent::ExecutionDataSaved { node: "n1".to_owned(), data: saved(4) }),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.execution(TENANT, id, Some(position(at))).await.unwrap().unwrap();
        let held_up = async |at_position| {
            let row = at(at_position).await;
            (row.status, row.waiting_node, row.paused)
        };
        let (node, pause) = (Some("n1".to_owned()), Some(pause.clone()));
        assert_eq!(held_up(1).await, (ExecutionStatus::Running, None, None));
        assert_eq!(held_up(2).await, (ExecutionStatus::Waiting, node.clone(), None));
        assert_eq!(held_up(3).await, (ExecutionStatus::Paused, node, pause.clone()));
        assert_eq!(held_up(4).await, (ExecutionStatus::Paused, None, pause));
        assert_eq!(held_up(5).await, (ExecutionStatus::Running, None, None));
        let row = at(6).await;
        assert_eq!((row.trigger, row.caused_by, row.priority), (Some(TriggerKind::Webhook), None, -3));
        assert_eq!((row.saved_data, row.updated_position), (saved(4), position(6)));
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_unresolved_until_it_is_retried_or_dismissed_and_was_so_ever_after() {
    let (by_hand, called, ended, link) = (execution_id(0), execution_id(1), execution_id(2), execution_id(3));
    let story = [
        told(by_hand, &start(0)),
        told(called, &start(1)),
        told(ended, &start(1)),
        told(by_hand, &failed_run()),
        told(called, &failed_run()),
        told(ended, &failed_run()),
        told(called, &ExecutionEvent::ExecutionRetriedAs { execution: execution_id(7) }),
        told(called, &ExecutionEvent::ExecutionRetriedAs { execution: execution_id(8) }),
        told(ended, &ExecutionEvent::ExecutionDismissed { reason: "known".to_owned() }),
        // Somebody looks at a fork, whichever of its links fails.
        told(link, &link_of_fork(execution_id(9))),
        told(link, &failed_run()),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let unresolved = ExecutionFilter { unresolved: Some(true), ..ExecutionFilter::default() };
        let failed = ExecutionFilter { status: Some(ExecutionStatus::Failed), ..ExecutionFilter::default() };
        let list = async |at, filter| {
            let found = models.executions(TENANT, at, &Page::first(10), filter).await.unwrap();
            found.rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        for (at, expected) in [(4, vec![]), (5, vec![called]), (6, vec![ended, called]), (7, vec![ended]), (9, vec![])]
        {
            assert_eq!(list(Some(position(at)), &unresolved).await, expected, "at {at}");
        }
        assert_eq!(list(None, &unresolved).await, []);
        let of_fork = models.execution(TENANT, link, None).await.unwrap().unwrap();
        assert_eq!((of_fork.status, of_fork.trigger), (ExecutionStatus::Failed, Some(TriggerKind::Fork)));
        for (at, expected) in [(4, vec![by_hand]), (9, vec![ended, called, by_hand])] {
            assert_eq!(list(Some(position(at)), &failed).await, expected, "at {at}");
        }
        let row = async |at| models.execution(TENANT, called, Some(position(at))).await.unwrap().unwrap();
        assert_eq!(row(6).await.retried_as, None);
        assert_eq!(row(7).await.retried_as, Some(execution_id(7)));
        let newest = row(9).await;
        assert_eq!((newest.retried_as, newest.status), (Some(execution_id(8)), ExecutionStatus::Failed));
        assert_eq!((newest.ended_position, newest.ended_at_ms), (Some(position(5)), Some(9_000)));
        let dismissed = models.execution(TENANT, ended, None).await.unwrap().unwrap();
        assert_eq!(dismissed.dismissed.as_deref(), Some("known"));
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_found_by_what_started_them_and_by_what_was_saved_about_them() {
    let [first, second, third] = [0, 1, 2].map(execution_id);
    let save =
        |id, number| told(id, &ExecutionEvent::ExecutionDataSaved { node: "n0".to_owned(), data: saved(number) });
    let story = [
        told(first, &start(0)),
        told(second, &start(1)),
        told(third, &start(1)),
        save(first, 7),
        save(second, 8),
        save(second, 7),
        told(second, &ExecutionEvent::ExecutionCompleted { at_ms: 9 }),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let list = async |at: Option<usize>, filter: ExecutionFilter| {
            let found = models.executions(TENANT, at.map(position), &Page::first(10), &filter).await.unwrap();
            found.rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let saved = |name: &str, value: &str| ExecutionFilter {
            saved: Some(SavedFact { name: name.to_owned(), value: value.to_owned() }),
            ..ExecutionFilter::default()
        };
        assert_eq!(list(None, saved("order", "7")).await, [second, first]);
        assert_eq!(list(Some(5), saved("order", "8")).await, [second]);
        assert_eq!(list(None, saved("order", "8")).await, [], "it was changed");
        assert_eq!(list(None, saved("order", "1")).await, [], "other names end alike");
        assert_eq!(list(None, saved("re:\"order", "1")).await, [second, first]);
        assert_eq!(list(None, saved("order", "7\"")).await, []);
        let by = |trigger| ExecutionFilter { trigger: Some(trigger), ..ExecutionFilter::default() };
        assert_eq!(list(None, by(TriggerKind::Webhook)).await, [third, second]);
        assert_eq!(list(Some(2), by(TriggerKind::Webhook)).await, [second]);
        assert_eq!(list(None, by(TriggerKind::Schedule)).await, []);
        let both = ExecutionFilter { status: Some(ExecutionStatus::Completed), ..by(TriggerKind::Webhook) };
        assert_eq!(list(None, both).await, [second]);
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_of_a_long_execution_has_a_row_that_names_its_neighbours() {
    let (first, second) = (execution_id(0), execution_id(1));
    let story = [
        told(first, &start(1)),
        told(first, &completed(0, &[1])),
        told(first, &ExecutionEvent::ExecutionContinuedAsNew { next: second, at_ms: 5_000 }),
        told(second, &continued(first, 1)),
        told(second, &completed(1, &[1])),
        told(second, &completed(2, &[1])),
        told(second, &ExecutionEvent::ExecutionCompleted { at_ms: 9_000 }),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let row = async |id, at| models.execution(TENANT, id, Some(position(at))).await.unwrap().unwrap();
        let left = row(first, 7).await;
        assert_eq!(
            (left.status, left.continued_from, left.continued_as),
            (ExecutionStatus::Continued, None, Some(second))
        );
        assert_eq!((left.nodes_completed, left.ended_at_ms), (Some(1), Some(5_000)));
        let running = row(second, 4).await;
        assert_eq!((running.status, running.continued_from), (ExecutionStatus::Running, Some(first)));
        assert_eq!((running.workflow_id, running.workflow_version), (left.workflow_id, left.workflow_version));
        let ended = row(second, 7).await;
        assert_eq!(
            (ended.status, ended.nodes_completed, ended.continued_as),
            (ExecutionStatus::Completed, Some(2), None)
        );
        let runs = models.node_runs(TENANT, second, None).await.unwrap();
        assert_eq!(runs.iter().map(|run| run.execution_index).collect::<Vec<_>>(), [1, 2], "they count on");
        let filter = ExecutionFilter { status: Some(ExecutionStatus::Continued), ..ExecutionFilter::default() };
        let listed = models.executions(TENANT, None, &Page::first(10), &filter).await.unwrap().rows;
        assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [first]);
        models.close().await.unwrap();
    }
}

fn node_failed(execution_index: usize) -> ExecutionEvent {
    let error = json!({"message": "no such host"});
    ExecutionEvent::NodeFailed { run: run(execution_index), started_at_ms: 5, duration_us: 6, error, outputs: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_run_row_names_the_event_that_holds_its_data() {
    let id = execution_id(0);
    let started = |attempt| ExecutionEvent::NodeStarted {
        run: run(1),
        attempt,
        idempotency_key: "k".to_owned(),
        at_ms: 10 * i64::from(attempt),
    };
    let retried = ExecutionEvent::NodeRetried { run: run(1), attempt: 1, error: json!("timed out"), retry_at_ms: 15 };
    let story = [
        told(id, &start(0)),
        told(id, &completed(0, &[2, 0, 1])),
        told(id, &ExecutionEvent::NodeScheduled { run: run(1) }),
        told(id, &started(1)),
        told(id, &retried),
        told(id, &started(2)),
        told(id, &completed(1, &[4])),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.node_runs(TENANT, id, Some(position(at))).await.unwrap();
        let behind_the_first = NodeRunRange { from: 1, to: u64::MAX, limit: 10, side: Side::First };

        let first = at(2).await.remove(0);
        assert_eq!((first.node.as_str(), first.status, first.attempts), ("n0", NodeRunStatus::Completed, 1));
        assert_eq!(first.item_counts, Some(vec![2, 0, 1]));
        assert_eq!((first.event_revision, first.event_position), (Revision(2), position(2)));
        assert_eq!(at(3).await[1].status, NodeRunStatus::Scheduled);
        let retrying = at(5).await.remove(1);
        assert_eq!((retrying.status, retrying.error.as_deref()), (NodeRunStatus::Retrying, Some("timed out")));
        let done = at(7).await.remove(1);
        assert_eq!((done.status, done.attempts, done.started_at_ms), (NodeRunStatus::Completed, 2, Some(10)));
        assert_eq!((done.error, done.item_counts), (None, Some(vec![4])));
        assert_eq!(models.node_runs_in(TENANT, id, None, behind_the_first).await.unwrap().len(), 1);
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_another_tenants_rows() {
    let other = TenantId(2);
    let mine = told(execution_id(0), &start(0));
    let theirs = told_by(other, execution_id(1), &start(0));
    let story: Vec<Told> = vec![mine, theirs];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;

        assert_eq!(models.execution(TENANT, execution_id(1), None).await.unwrap(), None);
        for (tenant, own) in [(TENANT, execution_id(0)), (other, execution_id(1))] {
            for as_of in [None, Some(position(2))] {
                let page = models.executions(tenant, as_of, &Page::first(10), &Default::default()).await.unwrap();
                assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [own]);
            }
        }
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_one_database_could_hold_is_the_same_in_both() {
    let id = execution_id(0);
    let mut endless = node_failed(0);
    if let ExecutionEvent::NodeFailed { error, duration_us, .. } = &mut endless {
        *error = json!({"message": "a zero \0 in it"});
        *duration_us = u64::MAX;
    }
    let error = json!({"message": "no\0host"});
    let failed = ExecutionEvent::ExecutionFailed { node: Some("n\0".to_owned()), error, at_ms: i64::MIN };
    let story = [told(id, &start(0)), told(id, &endless), told(id, &failed)];
    let mut dumps = Vec::new();
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        assert!(models.status().iter().all(|status| status.parked == 0));
        let row = models.execution(TENANT, id, None).await.unwrap().unwrap();
        assert_eq!((row.error.as_deref(), row.error_node.as_deref()), (Some("no\u{fffd}host"), Some("n\u{fffd}")));
        let run = models.node_runs(TENANT, id, None).await.unwrap().remove(0);
        assert_eq!((run.duration_us, run.error.as_deref()), (Some(i64::MAX as u64), Some("a zero \u{fffd} in it")));
        models.close().await.unwrap();
        dumps.push(place.dump().await);
    }
    assert_eq!(dumps[0], dumps[1]);
}
