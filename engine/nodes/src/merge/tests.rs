//! Tests of Merge in all its versions.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, pairs_of};

fn bench(version: f64, parameters: Value, first: Value, second: Value) -> Bench<'static> {
    Bench::new(&Merge, version, parameters).input(first).input(second)
}

fn people() -> Value {
    json!([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}, {"name": "No id"}])
}

fn towns() -> Value {
    json!([{"id": 2, "town": "Rome"}, {"id": 2, "town": "Paris"}, {"id": 9, "town": "Oslo"}])
}

#[test]
fn append_gives_the_inputs_one_after_the_other() {
    let mut two = bench(2.1, json!({}), json!([{"a": 1}]), json!([{"b": 1}]));
    assert_eq!(two.output(), json!([{"a": 1}, {"b": 1}]));
    assert_eq!(pairs_of(&two.run().unwrap()), json!([{"item": 0}, {"item": 0, "input": 1}]));
    let mut three = bench(3.2, json!({"numberInputs": 3}), json!([{"a": 1}]), json!([])).input(json!([{"c": 1}]));
    assert_eq!(three.output(), json!([{"a": 1}, {"c": 1}]));
    assert_eq!(Merge.shape(&three.node).inputs, 3);
}

#[test]
fn fields_join_the_inputs() {
    let output = |join: &str, from: &str| {
        let fields = json!({"values": [{"field1": "id", "field2": "id"}]});
        let parameters = json!({"mode": "combine", "mergeByFields": fields, "joinMode": join, "outputDataFrom": from});
        bench(2.1, parameters, people(), towns()).output()
    };
    let both = json!([{"id": 2, "name": "Bob", "town": "Rome"}, {"id": 2, "name": "Bob", "town": "Paris"}]);
    assert_eq!(output("keepMatches", "both"), both);
    assert_eq!(output("keepMatches", "input1"), json!([{"id": 2, "name": "Bob"}]));
    assert_eq!(output("keepMatches", "input2"), json!([{"id": 2, "town": "Rome"}, {"id": 2, "town": "Paris"}]));
    assert_eq!(output("keepNonMatches", "input2"), json!([{"id": 9, "town": "Oslo"}]));
    let strangers = output("keepNonMatches", "both");
    assert_eq!(strangers[0], json!({"id": 1, "name": "Ada", "_source": "input1"}));
    assert_eq!(strangers[2], json!({"id": 9, "town": "Oslo", "_source": "input2"}));
    assert_eq!(output("keepEverything", "both").as_array().unwrap().len(), 5);
    let enriched = output("enrichInput1", "both");
    assert_eq!(enriched.as_array().unwrap()[2..], [json!({"id": 1, "name": "Ada"}), json!({"name": "No id"})]);
    assert_eq!(output("enrichInput2", "both")[2], json!({"id": 9, "town": "Oslo"}));
    let last = json!({"clashHandling": {"values": {"resolveClash": "preferLast"}}});
    let parameters =
        json!({"mode": "combine", "fieldsToMatchString": "id", "joinMode": "enrichInput2", "options": last});
    let enriched = bench(3.2, parameters, json!([{"id": 1, "n": "a"}]), json!([{"id": 1, "n": "b"}])).output();
    assert_eq!(enriched, json!([{"id": 1, "n": "b"}]));
}

#[test]
fn version_3_names_the_fields_in_one_text() {
    let options = json!({"multipleMatches": "first", "fuzzyCompare": true});
    let parameters = json!({"mode": "combine", "fieldsToMatchString": "id", "options": options});
    let first = json!([{"id": "2", "name": "Bob"}]);
    let mut one = bench(3.2, parameters.clone(), first.clone(), towns());
    assert_eq!(one.output(), json!([{"id": 2, "name": "Bob", "town": "Rome"}]));
    one.node.parameters["outputDataFrom"] = json!("input2");
    assert_eq!(one.output().as_array().unwrap().len(), 2, "all matches count where they are not brought together");
    one.node.parameters["options"] = json!({});
    assert_eq!(one.output(), json!([]));
    one.node.parameters["fieldsToMatchString"] = json!(" ");
    assert_eq!(one.failure(), "there are no fields to match");
}

#[test]
fn clashes_are_resolved_as_chosen() {
    let output = |handling: Value| {
        let options = json!({"clashHandling": {"values": handling}});
        let parameters = json!({"mode": "combine", "combineBy": "combineByPosition", "options": options});
        let (first, second) = (json!([{"a": {"x": 1}, "b": 1}]), json!([{"a": {"y": 2}, "b": ""}]));
        bench(3.2, parameters, first, second).output()[0].clone()
    };
    assert_eq!(output(json!({})), json!({"a": {"x": 1, "y": 2}, "b": ""}));
    assert_eq!(output(json!({"resolveClash": "preferInput1"})), json!({"a": {"x": 1, "y": 2}, "b": 1}));
    assert_eq!(output(json!({"mergeMode": "shallowMerge"})), json!({"a": {"y": 2}, "b": ""}));
    assert_eq!(output(json!({"overrideEmpty": true})), json!({"a": {"x": 1, "y": 2}, "b": 1}));
    // The last input comes a second time under its own names.
    let suffixed = json!({"a_1": {"x": 1}, "b_1": 1, "a_2": {"y": 2}, "b_2": "", "a": {"y": 2}, "b": ""});
    assert_eq!(output(json!({"resolveClash": "addSuffix"})), suffixed);
}

#[test]
fn positions_join_the_inputs() {
    let output = |version: f64, options: Value| {
        let parameters = json!({
            "mode": "combine", "combinationMode": "mergeByPosition", "combineBy": "combineByPosition", "options": options,
        });
        bench(version, parameters, json!([{"a": 1}, {"a": 2}]), json!([{"b": 1}])).output()
    };
    for version in [2.0, 3.0] {
        assert_eq!(output(version, json!({})), json!([{"a": 1, "b": 1}]));
        assert_eq!(output(version, json!({"includeUnpaired": true})), json!([{"a": 1, "b": 1}, {"a": 2}]));
    }
}

#[test]
fn every_item_may_meet_every_other() {
    let parameters = json!({"mode": "combine", "combineBy": "combineAll"});
    let mut all = bench(3.0, parameters, json!([{"a": 1}, {"a": 2}]), json!([{"b": 1}, {"b": 2}]));
    assert_eq!(all.output(), json!([{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 2, "b": 2}]));
    assert_eq!(pairs_of(&all.run().unwrap())[1], json!([{"item": 0}, {"item": 1, "input": 1}]));
}

#[test]
fn one_branch_may_be_chosen_after_all_have_come() {
    let mut chosen =
        bench(2.0, json!({"mode": "chooseBranch", "output": "input2"}), json!([{"a": 1}]), json!([{"b": 1}]));
    assert_eq!(chosen.output(), json!([{"b": 1}]));
    assert_eq!(Merge.shape(&chosen.node).required_inputs, RequiredInputs::All);
    chosen.node.parameters["output"] = json!("empty");
    assert_eq!(chosen.output(), json!([{}]));
    let parameters = json!({"mode": "chooseBranch", "useDataOfInput": "2"});
    assert_eq!(bench(3.1, parameters, json!([{"a": 1}]), json!([{"b": 1}])).output(), json!([{"b": 1}]));
}

#[test]
fn version_1_merges_by_index_and_key() {
    let output = |parameters: Value| bench(1.0, parameters, people(), towns()).output();
    assert_eq!(
        output(json!({"mode": "mergeByIndex", "join": "inner"}))[0],
        json!({"id": 2, "name": "Ada", "town": "Rome"})
    );
    let keys = |mode: &str| json!({"mode": mode, "propertyName1": "id", "propertyName2": "id"});
    assert_eq!(output(keys("keepKeyMatches")), json!([{"id": 2, "name": "Bob"}]));
    assert_eq!(output(keys("removeKeyMatches")), json!([{"id": 1, "name": "Ada"}, {"name": "No id"}]));
    assert_eq!(
        output(keys("mergeByKey")),
        json!([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob", "town": "Paris"}])
    );
    let (no_key, no_towns) = (json!([{"id": null}, {"name": "No id"}]), json!([]));
    for (mode, second, expected) in [
        ("mergeByKey", towns(), json!([{"id": null}])),
        ("removeKeyMatches", towns(), no_key.clone()),
        ("mergeByKey", no_towns, json!([{"id": null}])),
    ] {
        assert_eq!(bench(1.0, keys(mode), no_key.clone(), second).output(), expected, "{mode}");
    }
    assert_eq!(output(json!({"mode": "passThrough", "output": "input2"})), towns());
    assert_eq!(output(json!({"mode": "wait"})), json!([{}]));
}
