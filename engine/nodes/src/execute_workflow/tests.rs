//! Execute Workflow and its trigger, with a port that answers by a list.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_engine::node::{Caller, SubWorkflows};

use super::*;
use crate::testing::{Bench, items, json_of, pairs_of};

/// Answers calls by a list, and takes them down.
#[derive(Debug, Default)]
struct Calls {
    made: Mutex<Vec<SubWorkflowCall>>,
    answers: Mutex<Vec<Result<Option<Value>, String>>>,
}

#[async_trait]
impl SubWorkflows for Calls {
    async fn call(&self, _caller: &Caller, call: SubWorkflowCall) -> Result<Option<Vec<Item>>, NodeError> {
        self.made.lock().unwrap().push(call);
        let answer = self.answers.lock().unwrap().remove(0);
        answer.map(|given| given.map(|given| items(given).to_vec())).map_err(NodeError::operation)
    }

    async fn abandon(&self, _caller: &Caller) {}
}

fn bench(version: f64, parameters: Value, answers: Vec<Result<Option<Value>, String>>) -> (Bench<'static>, Arc<Calls>) {
    let calls = Arc::new(Calls { made: Mutex::default(), answers: Mutex::new(answers) });
    let mut bench = Bench::new(&ExecuteWorkflow, version, parameters).input(json!([{"n": 1}, {"n": 2}]));
    bench.services.sub_workflows = Arc::clone(&calls) as Arc<dyn SubWorkflows>;
    (bench, calls)
}

fn sent(calls: &Calls) -> Vec<(usize, bool, Value)> {
    let made = calls.made.lock().unwrap();
    let json = |call: &SubWorkflowCall| call.items.iter().map(|item| item.json.to_value()).collect();
    made.iter().map(|call| (call.number, call.waits, json(call))).collect()
}

#[tokio::test]
async fn every_version_calls_once_with_all_items_and_gives_what_came_back() {
    let locator = json!({"__rl": true, "mode": "list", "value": "w-1", "cachedResultName": "Sub"});
    for (version, workflow) in [(1.0, json!("w-1")), (1.1, locator.clone()), (1.2, locator.clone()), (1.3, locator)] {
        let (mut bench, calls) = bench(version, json!({"workflowId": workflow}), vec![Ok(Some(json!([{"a": 1}])))]);
        let output = bench.run_effect().await.unwrap();
        assert_eq!(json_of(&output, 0), json!([{"a": 1}]));
        assert_eq!(pairs_of(&output), json!([[{"item": 0}, {"item": 1}]]), "made of all that went in");
        assert_eq!(sent(&calls), [(0, true, json!([{"n": 1}, {"n": 2}]))]);
        let CallTarget::Named { reference, name } = calls.made.lock().unwrap()[0].target.clone() else { panic!() };
        assert_eq!((reference.as_str(), name.is_some()), ("w-1", version > 1.0));
    }
}

#[tokio::test]
async fn as_many_items_as_went_in_are_paired_one_by_one() {
    let (mut bench, _) = bench(1.2, json!({"workflowId": "w"}), vec![Ok(Some(json!([{"a": 1}, {"a": 2}])))]);
    assert_eq!(pairs_of(&bench.run_effect().await.unwrap()), json!([{"item": 0}, {"item": 1}]));
}

#[tokio::test]
async fn in_mode_each_every_item_has_its_call_and_its_items() {
    let parameters = json!({"workflowId": "=w-{{ $json.n }}", "mode": "each"});
    let (mut bench, calls) =
        bench(1.1, parameters, vec![Ok(Some(json!([{"a": 1}, {"a": 2}]))), Ok(Some(json!([{"b": 3}])))]);
    let output = bench.run_effect().await.unwrap();
    assert_eq!(json_of(&output, 0), json!([{"a": 1}, {"a": 2}, {"b": 3}]));
    assert_eq!(pairs_of(&output), json!([{"item": 0}, {"item": 0}, {"item": 1}]));
    assert_eq!(sent(&calls), [(0, true, json!([{"n": 1}])), (1, true, json!([{"n": 2}]))]);
    let made = calls.made.lock().unwrap();
    assert_eq!(made[1].target, CallTarget::Named { reference: "w-2".to_owned(), name: None });
}

#[tokio::test]
async fn without_waiting_the_input_goes_on() {
    for mode in ["once", "each"] {
        let parameters = json!({"workflowId": "w", "mode": mode, "options": {"waitForSubWorkflow": false}});
        let (mut bench, calls) = bench(1.2, parameters, vec![Ok(None), Ok(None)]);
        let output = bench.run_effect().await.unwrap();
        assert_eq!(json_of(&output, 0), json!([{"n": 1}, {"n": 2}]));
        assert_eq!(pairs_of(&output), json!([{"item": 0}, {"item": 1}]));
        assert!(sent(&calls).iter().all(|(_, waits, _)| !waits));
    }
}

#[tokio::test]
async fn a_failure_is_the_nodes_own_or_goes_on_as_an_item() {
    let failures = || vec![Err("no such luck".to_owned()), Ok(Some(json!([{"a": 1}])))];
    for mode in ["once", "each"] {
        let parameters = json!({"workflowId": "w", "mode": mode});
        let (mut stops, _) = bench(1.2, parameters.clone(), failures());
        let error = stops.run_effect().await.unwrap_err();
        assert_eq!((error.message.as_str(), error.item_index), ("no such luck", (mode == "each").then_some(0)));
        let (goes_on, _) = bench(1.2, parameters, failures());
        let output = goes_on.continue_on_fail().run_effect().await.unwrap();
        assert_eq!(json_of(&output, 0)[0], json!({"error": "no such luck"}));
        assert_eq!(output.outputs[0].len(), if mode == "each" { 2 } else { 1 });
    }
}

#[tokio::test]
async fn fields_for_the_workflow_are_set_converted_and_removed() {
    let schema = json!([
        {"id": "text", "type": "string"}, {"id": "count", "type": "number"}, {"id": "n", "removed": true},
        {"id": "yes", "type": "boolean"}, {"id": "list", "type": "array"}, {"id": "none", "type": "number"},
    ]);
    let value = json!({
        "text": "={{ $json.n }}", "count": "7.5", "yes": "true", "list": "[1]", "none": null, "free": {"a": 1},
    });
    let inputs = json!({
        "mappingMode": "defineBelow", "value": value, "schema": schema,
        "attemptToConvertTypes": true, "convertFieldsToString": true,
    });
    let (mut bench, calls) =
        bench(1.2, json!({"workflowId": "w", "workflowInputs": inputs}), vec![Ok(Some(json!([])))]);
    bench.run_effect().await.unwrap();
    let first = &sent(&calls)[0].2[0];
    assert_eq!(*first, json!({"text": "1", "count": 7.5, "yes": true, "list": [1], "none": null, "free": {"a": 1}}));
}

#[tokio::test]
async fn a_field_of_the_wrong_kind_is_refused_by_its_name() {
    let inputs = json!({"value": {"count": "seven"}, "schema": [{"id": "count", "type": "number"}]});
    let (mut bench, calls) = bench(1.2, json!({"workflowId": "w", "workflowInputs": inputs}), vec![]);
    assert!(bench.run_effect().await.unwrap_err().message.contains("'count' expects a value of the kind 'number'"));
    assert!(sent(&calls).is_empty());
}

#[tokio::test]
async fn what_cannot_be_called_is_refused_before_it_is() {
    for (parameters, words) in [
        (json!({}), "no workflow is chosen"),
        (json!({"workflowId": {"__rl": true, "mode": "id", "value": ""}}), "no workflow is chosen"),
        (json!({"source": "url", "workflowUrl": "http://localhost/"}), "'url' cannot be run"),
        (json!({"source": "localFile", "workflowPath": "/etc/passwd"}), "'localFile' cannot be run"),
        (json!({"source": "parameter"}), "JSON is missing"),
    ] {
        let (mut bench, calls) = bench(1.2, parameters.clone(), vec![]);
        let error = bench.run_effect().await.unwrap_err();
        assert!(error.message.contains(words), "{parameters}: {error}");
        assert!(sent(&calls).is_empty());
    }
}

#[test]
fn the_trigger_takes_the_fields_that_it_names() {
    let given = json!([{"a": 1, "b": {"c": 2}, "z": 3}, {"z": 4}]);
    let gives =
        |version, parameters| Bench::new(&ExecuteWorkflowTrigger, version, parameters).input(given.clone()).output();
    let named = json!([{"a": 1, "b": {"c": 2}}, {"a": null, "b": null}]);
    assert_eq!(gives(1.0, json!({})), given);
    assert_eq!(gives(1.1, json!({"inputSource": "passthrough"})), given);
    let values = json!({"values": [{"name": "a", "type": "number"}, {"name": "b", "type": "object"}]});
    assert_eq!(gives(1.1, json!({"workflowInputs": values})), named);
    assert_eq!(gives(1.1, json!({"inputSource": "jsonExample", "jsonExample": "{\"a\": 0, \"b\": {}}"})), named);
    let broken = json!({"inputSource": "jsonExample", "jsonExample": "[]"});
    assert!(Bench::new(&ExecuteWorkflowTrigger, 1.1, broken).input(given).failure().contains("not a JSON object"));
}
