//! Tests of Switch in all its versions.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, json_of};

fn rule(left: &str, operation: &str, right: Value) -> Value {
    json!({"conditions": {
        "combinator": "and", "options": {"caseSensitive": true, "typeValidation": "strict"},
        "conditions": [{"leftValue": left, "rightValue": right, "operator": {"type": "number", "operation": operation}}],
    }})
}

#[test]
fn version_1_rules_name_their_output() {
    let parameters = json!({
        "value1": "={{ $json.n }}",
        "rules": {"rules": [{"operation": "equal", "value2": 5, "output": 2}, {"value2": 3, "output": 1}]},
        "fallbackOutput": 3,
    });
    let items = json!([{"n": 5}, {"n": 1}, {"n": 9}]);
    let mut bench = Bench::new(&Switch, 1.0, parameters).input(items);
    assert_eq!(bench.outputs(), json!([[], [{"n": 1}], [{"n": 5}], [{"n": 9}]]));
}

#[test]
fn version_2_rules_have_their_own_output() {
    let parameters = json!({
        "dataType": "string", "value1": "={{ $json.s }}",
        "rules": {"rules": [{"operation": "contains", "value2": "a"}, {"value2": "b"}]},
    });
    let mut bench = Bench::new(&Switch, 2.0, parameters).input(json!([{"s": "b"}, {"s": "xa"}, {"s": "c"}]));
    assert_eq!(bench.outputs(), json!([[{"s": "xa"}], [{"s": "b"}]]));
}

#[test]
fn an_expression_names_the_output() {
    let parameters = json!({"mode": "expression", "numberOutputs": 3, "output": "={{ $json.to }}"});
    let mut bench = Bench::new(&Switch, 3.2, parameters.clone()).input(json!([{"to": 2}, {"to": 0}]));
    assert_eq!(bench.outputs(), json!([[{"to": 0}], [], [{"to": 2}]]));
    assert_eq!(Switch.shape(&bench.node).outputs, 3);

    let mut beyond = Bench::new(&Switch, 3.2, parameters).input(json!([{"to": 3}]));
    assert!(beyond.failure().contains("no output 3"));
    let item = json_of(&beyond.continue_on_fail().run().unwrap(), 0);
    assert!(item[0]["error"].as_str().unwrap().contains("from 0 to 2"));
}

#[test]
fn the_first_rule_that_holds_wins_unless_all_are_wanted() {
    let rules = json!({"values": [rule("={{ $json.n }}", "gt", json!(1)), rule("={{ $json.n }}", "gt", json!(2))]});
    let items = json!([{"n": 3}, {"n": 2}, {"n": 1}]);
    let mut bench = Bench::new(&Switch, 3.0, json!({"rules": rules, "options": {}})).input(items.clone());
    assert_eq!(bench.outputs(), json!([[{"n": 3}, {"n": 2}], []]));

    let options = json!({"allMatchingOutputs": true, "fallbackOutput": "extra"});
    let mut bench = Bench::new(&Switch, 3.2, json!({"rules": rules, "options": options})).input(items);
    assert_eq!(bench.outputs(), json!([[{"n": 3}, {"n": 2}], [{"n": 3}], [{"n": 1}]]));
    assert_eq!(Switch.shape(&bench.node).outputs, 3);
    assert_eq!(Switch.output_names(&bench.node), ["", "", "else"], "nobody named the others");
}

#[test]
fn outputs_are_called_as_their_rules_say() {
    let mut first = rule("={{ $json.n }}", "gt", json!(1));
    first["outputKey"] = json!("large");
    let parameters = json!({"rules": {"values": [first, rule("={{ $json.n }}", "lt", json!(1))]}, "options": {}});
    let bench = Bench::new(&Switch, 3.2, parameters);
    assert_eq!(Switch.output_names(&bench.node), ["large", ""]);
    let chosen = Bench::new(&Switch, 3.2, json!({"mode": "expression", "numberOutputs": 2}));
    assert_eq!(Switch.output_names(&chosen.node), [""; 0]);
}

#[test]
fn the_fallback_may_be_one_of_the_outputs() {
    let rules = json!({"values": [rule("={{ $json.n }}", "lt", json!(0)), rule("={{ $json.n }}", "gt", json!(10))]});
    let parameters = json!({"rules": rules, "options": {"fallbackOutput": 1}});
    let mut bench = Bench::new(&Switch, 3.4, parameters).input(json!([{"n": 5}]));
    assert_eq!(bench.outputs(), json!([[], [{"n": 5}]]));
}

#[test]
fn a_rule_that_is_not_reached_cannot_fail_an_item() {
    let rules = json!({"values": [
        rule("={{ $json.n }}", "gt", json!(1)),
        rule("={{ fail(\"second rule\") }}", "gt", json!(1)),
    ]});
    let bench = |n: i64| Bench::new(&Switch, 3.0, json!({"rules": rules})).input(json!([{"n": n}]));
    assert_eq!(bench(2).outputs(), json!([[{"n": 2}], []]));
    assert!(bench(0).failure().contains("second rule"));
}
