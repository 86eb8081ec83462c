//! A fold that changed says so: its states of one fixed history are kept for the version that it declares.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use timeloom_domain::account::Account;
use timeloom_domain::agent::Agent;
use timeloom_domain::agent_memory::AgentMemory;
use timeloom_domain::agent_run::AgentRun;
use timeloom_domain::audit::Audit;
use timeloom_domain::credential::Credential;
use timeloom_domain::data_table::{DataTables, TableRows};
use timeloom_domain::drift::DriftWatch;
use timeloom_domain::evaluation::Evaluation;
use timeloom_domain::evaluation_set::EvaluationSet;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::Execution;
use timeloom_domain::feature_flag::FeatureFlag;
use timeloom_domain::gateway::GatewayConfiguration;
use timeloom_domain::inference::{InferenceWorker, Inferences};
use timeloom_domain::listener::Listener;
use timeloom_domain::model::Model;
use timeloom_domain::model_call::ModelCalls;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::recall::Recall;
use timeloom_domain::replay::ReplayCheck;
use timeloom_domain::retention::Retention;
use timeloom_domain::session::Session;
use timeloom_domain::subject::Subject;
use timeloom_domain::tenant::Tenant;
use timeloom_domain::test_case::TestCases;
use timeloom_domain::vectors::VectorCollection;
use timeloom_domain::workflow::Workflow;

/// The states after each event of a history that is made of every golden file of the category.
fn states<A>() -> Value
where
    A: Aggregate + Serialize,
    A::Event: DeserializeOwned,
{
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut state = A::default();
    let mut states = Vec::new();
    for (event_type, version) in A::Event::TYPES {
        let text = fs::read_to_string(golden.join(format!("{event_type}.v{version}.json"))).unwrap();
        state.apply(&serde_json::from_str(&text).unwrap());
        states.push(json!({ *event_type: state }));
    }
    Value::Array(states)
}

fn check<A>()
where
    A: Aggregate + Serialize,
    A::Event: DeserializeOwned,
{
    let name = format!("{}.fold{}.json", A::Event::CATEGORY, A::FOLD_VERSION);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folds").join(&name);
    let now = states::<A>();
    let known: Value =
        fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    assert!(
        now == known,
        "the fold of '{}' comes to other states than domain/tests/folds/{name} says: raise `FOLD_VERSION`, so that \
         snapshots of the old fold are thrown away, and write the new states to the file of that version:\n{now:#}",
        A::Event::CATEGORY
    );
}

#[test]
fn a_workflow_fold_that_comes_to_other_states_has_another_version() {
    check::<Workflow>();
}

#[test]
fn an_execution_fold_that_comes_to_other_states_has_another_version() {
    check::<Execution>();
}

#[test]
fn a_plugin_fold_that_comes_to_other_states_has_another_version() {
    check::<Plugin>();
}

#[test]
fn a_model_fold_that_comes_to_other_states_has_another_version() {
    check::<Model>();
}

#[test]
fn folds_of_the_gateway_that_come_to_other_states_have_another_version() {
    check::<GatewayConfiguration>();
    check::<ModelCalls>();
}

#[test]
fn folds_of_inference_that_come_to_other_states_have_another_version() {
    check::<InferenceWorker>();
    check::<Inferences>();
}

#[test]
fn a_credential_fold_that_comes_to_other_states_has_another_version() {
    check::<Credential>();
}

#[test]
fn folds_of_agents_that_come_to_other_states_have_another_version() {
    check::<Agent>();
    check::<AgentRun>();
    check::<AgentMemory>();
}

#[test]
fn a_listener_fold_that_comes_to_other_states_has_another_version() {
    check::<Listener>();
}

#[test]
fn a_recall_fold_that_comes_to_other_states_has_another_version() {
    check::<Recall>();
}

#[test]
fn a_vector_collection_fold_that_comes_to_other_states_has_another_version() {
    check::<VectorCollection>();
}

#[test]
fn folds_of_data_tables_that_come_to_other_states_have_another_version() {
    check::<DataTables>();
    check::<TableRows>();
}

#[test]
fn a_replay_check_fold_that_comes_to_other_states_has_another_version() {
    check::<ReplayCheck>();
}

#[test]
fn a_fold_of_test_cases_that_comes_to_other_states_has_another_version() {
    check::<TestCases>();
}

#[test]
fn folds_of_evaluations_that_come_to_other_states_have_another_version() {
    check::<Evaluation>();
    check::<EvaluationSet>();
}

#[test]
fn a_fold_of_watches_over_drift_that_comes_to_other_states_has_another_version() {
    check::<DriftWatch>();
}

#[test]
fn folds_of_who_has_access_that_come_to_other_states_have_another_version() {
    check::<Account>();
    check::<Session>();
    check::<Tenant>();
    check::<FeatureFlag>();
    check::<Audit>();
    check::<Subject>();
    check::<Retention>();
}
