//! Stored shapes never change: one golden file for every event type and version that was ever released.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use timeloom_domain::account::AccountEvent;
use timeloom_domain::agent::AgentEvent;
use timeloom_domain::agent_memory::AgentMemoryEvent;
use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::archive::ArchiveEvent;
use timeloom_domain::audit::AuditEvent;
use timeloom_domain::credential::CredentialEvent;
use timeloom_domain::data_table::{DataTableEvent, TableRowsEvent};
use timeloom_domain::drift::DriftWatchEvent;
use timeloom_domain::evaluation::EvaluationEvent;
use timeloom_domain::evaluation_set::EvaluationSetEvent;
use timeloom_domain::event::{Event, OWN_CATEGORIES};
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::feature_flag::FeatureFlagEvent;
use timeloom_domain::gateway::GatewayEvent;
use timeloom_domain::inference::{InferenceEvent, InferenceWorkerEvent};
use timeloom_domain::listener::ListenerEvent;
use timeloom_domain::model::ModelEvent;
use timeloom_domain::model_call::ModelCallEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::recall::RecallEvent;
use timeloom_domain::replay::ReplayCheckEvent;
use timeloom_domain::retention::RetentionEvent;
use timeloom_domain::session::SessionEvent;
use timeloom_domain::subject::SubjectEvent;
use timeloom_domain::tenant::TenantEvent;
use timeloom_domain::test_case::TestCaseEvent;
use timeloom_domain::vectors::VectorEvent;
use timeloom_domain::workflow::WorkflowEvent;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Reads a stored payload as the store does: older versions are lifted first.
fn decode<E: Event + DeserializeOwned>(event_type: &str, version: u16, payload: Value) -> E {
    let current = E::current_version(event_type).unwrap();
    let payload = if version < current { E::upcast(event_type, version, payload).unwrap() } else { payload };
    serde_json::from_value(payload).unwrap_or_else(|error| panic!("{event_type}.v{version}: {error}"))
}

fn check_category<E: Event + DeserializeOwned + Serialize + PartialEq + Debug>(seen: &mut BTreeSet<String>) {
    assert!(
        OWN_CATEGORIES.contains(&E::CATEGORY),
        "{} is not told to be our own: others could write to it",
        E::CATEGORY
    );
    for (event_type, current) in E::TYPES {
        for version in 1..=*current {
            let name = format!("{event_type}.v{version}.json");
            let text = fs::read_to_string(folder().join(&name)).unwrap_or_else(|error| {
                panic!("domain/tests/golden/{name}: {error}; write one stored payload of this type and version there")
            });
            let golden: Value = serde_json::from_str(&text).unwrap();
            let event: E = decode(event_type, version, golden.clone());
            assert_eq!(event.event_type(), *event_type);
            if version == *current {
                // Text, not values: the order of fields is part of the stored form.
                let written = serde_json::to_string_pretty(&event).unwrap();
                assert_eq!(written, serde_json::to_string_pretty(&golden).unwrap(), "{name} is written otherwise now");
                assert_eq!(event.event_version(), *current);
                let stored = serde_json::to_string(&event).unwrap();
                assert_eq!(E::read(&stored).unwrap(), event, "{name} is read otherwise");
            }
            seen.insert(name);
        }
    }
    assert_eq!(listed::<E>(), variants::<E>(), "Event::TYPES of '{}' is not complete", E::CATEGORY);
}

fn listed<E: Event>() -> BTreeSet<String> {
    E::TYPES.iter().map(|(event_type, _)| (*event_type).to_owned()).collect()
}

/// Names of all variants, from the answer to a type that does not exist.
fn variants<E: DeserializeOwned>() -> BTreeSet<String> {
    let Err(error) = serde_json::from_str::<E>(r#"{"type": "no_such_type"}"#) else { panic!("it exists") };
    let error = error.to_string();
    let (_, known) = error.split_once("expected").unwrap();
    known.split('`').skip(1).step_by(2).map(pascal_case).collect()
}

fn pascal_case(name: &str) -> String {
    let capitalised = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(capitalised).collect()
}

#[test]
fn every_event_type_and_version_has_a_golden_file_that_still_reads_and_writes_the_same() {
    let mut seen = BTreeSet::new();
    check_category::<WorkflowEvent>(&mut seen);
    check_category::<ExecutionEvent>(&mut seen);
    check_category::<PluginEvent>(&mut seen);
    check_category::<ModelEvent>(&mut seen);
    check_category::<InferenceWorkerEvent>(&mut seen);
    check_category::<InferenceEvent>(&mut seen);
    check_category::<GatewayEvent>(&mut seen);
    check_category::<ModelCallEvent>(&mut seen);
    check_category::<CredentialEvent>(&mut seen);
    check_category::<AgentEvent>(&mut seen);
    check_category::<AgentRunEvent>(&mut seen);
    check_category::<AgentMemoryEvent>(&mut seen);
    check_category::<ListenerEvent>(&mut seen);
    check_category::<RecallEvent>(&mut seen);
    check_category::<VectorEvent>(&mut seen);
    check_category::<DataTableEvent>(&mut seen);
    check_category::<TableRowsEvent>(&mut seen);
    check_category::<ReplayCheckEvent>(&mut seen);
    check_category::<TestCaseEvent>(&mut seen);
    check_category::<EvaluationEvent>(&mut seen);
    check_category::<DriftWatchEvent>(&mut seen);
    check_category::<EvaluationSetEvent>(&mut seen);
    check_category::<AccountEvent>(&mut seen);
    check_category::<SessionEvent>(&mut seen);
    check_category::<TenantEvent>(&mut seen);
    check_category::<AuditEvent>(&mut seen);
    check_category::<ArchiveEvent>(&mut seen);
    check_category::<FeatureFlagEvent>(&mut seen);
    check_category::<SubjectEvent>(&mut seen);
    check_category::<RetentionEvent>(&mut seen);
    let files: BTreeSet<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, seen, "a golden file belongs to no event type and version");
}

#[test]
fn a_payload_of_an_unknown_version_is_an_error_and_no_guess() {
    let error = WorkflowEvent::upcast("WorkflowCreated", 0, Value::Null).unwrap_err();
    assert_eq!(error, "no upcaster from version 0 of event type 'WorkflowCreated'");
    assert_eq!(WorkflowEvent::current_version("ExecutionStarted"), None);
}

/// However the tag is written, and whatever is wrong, a payload is read as the enum itself reads it.
#[test]
fn a_payload_is_read_as_its_enum_reads_it() {
    let whole = fs::read_to_string(folder().join("NodeStarted.v1.json")).unwrap();
    let compact = serde_json::from_str::<Value>(&whole).unwrap().to_string();
    assert!(compact.starts_with(r#"{"type":"node_started","#));
    let moved = format!(
        "{},{}",
        &compact[..compact.len() - 1].replacen(r#""type":"node_started","#, "", 1),
        r#""type":"node_started"}"#
    );
    let wrong_field = compact.replacen(r#""attempt":"#, r#""attempts":"#, 1);
    for payload in [&whole, &compact, &moved, &wrong_field, &format!("{compact} 1"), &compact[..40].to_owned()] {
        let wanted = serde_json::from_str::<ExecutionEvent>(payload);
        let read = ExecutionEvent::read(payload);
        assert_eq!(read.as_ref().ok(), wanted.as_ref().ok(), "{payload}");
        assert_eq!(read.err().map(|error| error.to_string()), wanted.err().map(|error| error.to_string()), "{payload}");
    }
}
