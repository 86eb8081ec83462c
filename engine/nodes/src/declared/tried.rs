//! The definitions against the nodes: defaults change nothing, and every word that may be chosen is known.

use serde_json::{Value, json};
use timeloom_domain::catalogue::{Level, ParameterDefinition, ParameterKind};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeType};
use timeloom_expressions::port::CodeOutput;

use super::valid::each_case;
use super::{filled, values_of};
use crate::registry::all;
use crate::testing::Bench;

/// A word that no node knows.
const UNKNOWN: &str = "no-such-word";

/// An item in which most nodes find something.
fn items() -> Value {
    let file =
        json!({"data": "aWQsbmFtZQoxLEFkYQo=", "mimeType": "text/csv", "fileName": "a.csv", "fileExtension": "csv"});
    let json = json!({
        "id": 1, "name": "Ada", "data": "<a>1</a>", "list": [1, 2], "date": "2024-05-17", "chatInput": "Hello",
    });
    json!([{"json": json, "binary": {"data": file}}, {"json": {"id": 2, "name": "Bob", "data": "<b/>"}, "binary": {"data": file}}])
}

/// What a node does with these parameters, written down. Those that reach outside are not asked.
fn done(node_type: &dyn NodeType, version: f64, parameters: &Value) -> Option<String> {
    let mut bench = Bench::new(node_type, version, parameters.clone()).input(items()).input(items());
    if let Some(credential) = node_type.definition().credentials.first() {
        let fields =
            json!({"secret": "JBSWY3DPEHPK3PXP", "hmacSecret": "s", "algorithm": "HS256", "keyType": "passphrase"});
        bench = bench.credential(credential.credential_type, fields);
    }
    // The script itself is told, so that another one is seen.
    let mut bench = bench.script(|mode, script, _| {
        let told = JsonObject::from_iter([("script".to_owned(), json!(format!("{mode:?} {script}")))]);
        Ok(CodeOutput { items: vec![Item::new(told)], console: Vec::new(), context: None })
    });
    match node_type.behaviour() {
        Behaviour::Pure(_) => Some(format!("{:?}", bench.run())),
        Behaviour::Wait(_) => Some(format!("{:?} {:?}", bench.at_once(), bench.wait())),
        Behaviour::PassThrough | Behaviour::Effect(_) => None,
    }
}

#[test]
fn a_default_that_is_spelled_out_changes_nothing() {
    let mut tried = 0;
    each_case(&all(), |node_type, definition, version, case| {
        let said = Value::Object(case.clone());
        let level = Level::of(definition, version, &said);
        let wanted = |parameter: &ParameterDefinition| {
            parameter.default.is_none() && !matches!(parameter.kind, ParameterKind::Structure)
        };
        let bare = filled(level, case, false, wanted);
        let spelled = filled(level, case, true, wanted);
        let (bare, spelled) =
            (done(&**node_type, version, &bare).zip(Some(bare)), (done(&**node_type, version, &spelled), spelled));
        let Some((bare, with)) = bare else { return };
        tried += 1;
        assert_eq!(
            Some(&bare),
            spelled.0.as_ref(),
            "{} {version}:\n{with}\nis not the same as\n{}",
            definition.node_type,
            spelled.1
        );
    });
    assert!(tried > 300, "only {tried} cases were tried");
}

#[test]
fn every_word_that_may_be_chosen_is_known() {
    let mut refusing = 0;
    each_case(&all(), |node_type, definition, version, case| {
        let said = Value::Object(case.clone());
        let level = Level::of(definition, version, &said);
        let wanted = |parameter: &ParameterDefinition| parameter.default.is_none();
        for parameter in level.shown() {
            let (Some(values), ParameterKind::Options(_)) = (values_of(parameter), parameter.kind) else { continue };
            let with = |value: &Value| {
                let mut case = case.clone();
                case.insert(parameter.name.to_owned(), value.clone());
                let parameters = filled(level, &case, false, wanted);
                done(&**node_type, version, &parameters)
            };
            let Some(refused) = with(&json!(UNKNOWN)) else { continue };
            if !refused.contains(UNKNOWN) {
                continue;
            }
            refusing += 1;
            for value in values {
                let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let answer = with(&value).unwrap();
                let same = refused.replace(UNKNOWN, &word);
                assert_ne!(answer, same, "{} {version} does not know {} {word}", definition.node_type, parameter.name);
            }
        }
    });
    assert!(refusing > 50, "only {refusing} parameters refuse a word that they do not know");
}

/// The test above would see a wrong default: the other truth of a switch mostly gives something else.
#[test]
fn a_switch_that_is_turned_shows() {
    let mut showing = std::collections::BTreeSet::new();
    each_case(&all(), |node_type, definition, version, case| {
        let said = Value::Object(case.clone());
        let level = Level::of(definition, version, &said);
        let wanted = |parameter: &ParameterDefinition| parameter.default.is_none();
        let bare = filled(level, case, false, wanted);
        let Some(as_it_is) = done(&**node_type, version, &bare) else { return };
        for parameter in level.shown() {
            let (ParameterKind::Collection(fields), Value::Object(_)) = (parameter.kind, &bare) else { continue };
            for field in level.within(fields, &json!({})).shown() {
                let Some(Value::Bool(truth)) = field.default.map(|default| default.to_json()) else { continue };
                let mut turned = bare.clone();
                turned[parameter.name] = json!({field.name: !truth});
                if done(&**node_type, version, &turned) != Some(as_it_is.clone()) {
                    showing.insert((definition.node_type, parameter.name, field.name));
                }
            }
        }
    });
    assert!(showing.len() > 15, "only these show: {showing:?}");
}
