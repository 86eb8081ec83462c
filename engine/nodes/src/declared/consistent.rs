//! The definitions by themselves: names, words, defaults and conditions fit each other.

use std::collections::BTreeSet;

use serde_json::Value;
use timeloom_domain::catalogue::{Condition, Constant, NodeDefinition, ParameterDefinition, ParameterKind};
use timeloom_engine::node::NodeRegistry;

use super::{choices_of, disjoint, values_of};

/// The definitions of a list that may have one of a condition's values, in that version.
fn deciding<'d>(
    own: &'d [ParameterDefinition],
    top: &'d [ParameterDefinition],
    condition: &Condition,
    version: f64,
) -> Vec<(&'d ParameterDefinition, bool)> {
    let (fields, name, is_top) = match condition.parameter.strip_prefix('/') {
        Some(name) => (top, name, true),
        None => (own, condition.parameter, false),
    };
    let fits = |parameter: &&ParameterDefinition| {
        parameter.name == name
            && parameter.versions.contain(version)
            && values_of(parameter)
                .is_some_and(|all| condition.values.to_json().iter().any(|value| all.contains(value)))
    };
    fields.iter().filter(fits).map(|parameter| (parameter, is_top)).collect()
}

/// What holds where a parameter counts: its own conditions, and those of what they rest on, as names with their values. Names
/// begin with `/` where they are of the node.
fn closure(
    parameter: &ParameterDefinition,
    own: &[ParameterDefinition],
    top: &[ParameterDefinition],
    version: f64,
) -> Vec<(String, Vec<Value>)> {
    let mut found = Vec::new();
    for condition in parameter.shown_when {
        found.push((condition.parameter.to_owned(), condition.values.to_json()));
        let of_each = deciding(own, top, condition, version).into_iter().map(|(decides, is_top)| {
            let within = if is_top { top } else { own };
            let mark = |(name, values): (String, Vec<Value>)| {
                let is_named = !is_top || name.starts_with('/');
                (if is_named { name } else { format!("/{name}") }, values)
            };
            closure(decides, within, top, version).into_iter().map(mark).collect::<Vec<_>>()
        });
        found.extend(of_each.reduce(|one, other| in_both(&one, &other)).unwrap_or_default());
    }
    found
}

/// What holds where one of two does: of the names in both, the values of either.
fn in_both(one: &[(String, Vec<Value>)], other: &[(String, Vec<Value>)]) -> Vec<(String, Vec<Value>)> {
    let pairs = one.iter().flat_map(|left| other.iter().map(move |right| (left, right)));
    let shared = pairs.filter(|(left, right)| left.0 == right.0);
    shared.map(|(left, right)| (left.0.clone(), [left.1.as_slice(), &right.1].concat())).collect()
}

fn check_list(
    definition: &NodeDefinition,
    own: &[ParameterDefinition],
    versions: &[f64],
    place: &str,
    wrong: &mut Vec<String>,
) {
    let name = definition.node_type;
    for (index, parameter) in own.iter().enumerate() {
        check_words(parameter, &format!("{name} {place}{}", parameter.name));
        let counting = |version: &&f64| parameter.versions.contain(**version);
        let counted: Vec<f64> = versions.iter().filter(counting).copied().collect();
        assert!(!counted.is_empty(), "{name} {place}{} is in no version", parameter.name);
        check_conditions(definition, own, parameter, &counted, place, wrong);
        for version in &counted {
            let counts =
                |other: &&ParameterDefinition| other.name == parameter.name && other.versions.contain(*version);
            for other in own[index + 1..].iter().filter(counts) {
                let holds = |of| closure(of, own, definition.parameters, *version);
                let (one, two) = (holds(parameter), holds(other));
                let apart = one.iter().any(|(name, values)| {
                    let excludes = |(other, and): &(String, Vec<Value>)| name == other && disjoint(values, and);
                    two.iter().any(excludes)
                });
                if !apart {
                    wrong.push(format!("{name} {version}: two of {place}{} may be shown at once", parameter.name));
                }
            }
        }
        match parameter.kind {
            ParameterKind::Collection(fields) => {
                check_list(definition, fields, &counted, &format!("{place}{}.", parameter.name), wrong)
            }
            ParameterKind::List(sections) => {
                for section in sections {
                    let place = format!("{place}{}.{}.", parameter.name, section.key);
                    check_list(definition, section.fields, &counted, &place, wrong);
                }
            }
            _ => {}
        }
    }
}

fn check_words(parameter: &ParameterDefinition, place: &str) {
    assert!(!parameter.label().is_empty(), "{place} has no label");
    assert!(parameter.description.ends_with('.'), "{place} lacks a sentence about itself");
    if let Some(choices) = choices_of(parameter) {
        assert!(!choices.is_empty(), "{place} offers nothing");
        let values: BTreeSet<String> = choices.iter().map(|choice| choice.value.to_text()).collect();
        assert_eq!(values.len(), choices.len(), "{place} offers a word twice");
        assert!(choices.iter().all(|choice| !choice.label.is_empty()), "{place} has a word without a label");
    }
    let Some(default) = parameter.default else { return };
    let (value, allowed) = (default.to_json(), values_of(parameter));
    let fits = match parameter.kind {
        ParameterKind::Text
        | ParameterKind::LongText
        | ParameterKind::Code(_)
        | ParameterKind::Color
        | ParameterKind::DateTime => value.is_string(),
        ParameterKind::Number => value.is_number(),
        ParameterKind::Boolean | ParameterKind::Options(_) => allowed.is_some_and(|allowed| allowed.contains(&value)),
        ParameterKind::MultiOptions(choices) => value.as_array().is_some_and(|values| {
            values.iter().all(|value| choices.iter().any(|choice| choice.value.to_json() == *value))
        }),
        ParameterKind::Json => match &value {
            Value::String(text) => serde_json::from_str::<Value>(text).is_ok(),
            other => other.is_object() || other.is_array(),
        },
        ParameterKind::Assignments(_) | ParameterKind::Conditions(_) | ParameterKind::Resource(_) => value.is_object(),
        ParameterKind::Collection(_) | ParameterKind::List(_) | ParameterKind::Structure => false,
    };
    assert!(fits, "{place}: the default {value} is none of its kind");
    if let Constant::Json(text) = default {
        assert!(serde_json::from_str::<Value>(text).is_ok(), "{place}: the default is no JSON");
    }
}

fn check_conditions(
    definition: &NodeDefinition,
    own: &[ParameterDefinition],
    parameter: &ParameterDefinition,
    versions: &[f64],
    place: &str,
    wrong: &mut Vec<String>,
) {
    for (version, condition) in
        versions.iter().flat_map(|version| parameter.shown_when.iter().map(move |when| (version, when)))
    {
        for value in condition.values.to_json() {
            let one = |found: &(&ParameterDefinition, bool)| values_of(found.0).is_some_and(|all| all.contains(&value));
            let found = deciding(own, definition.parameters, condition, *version);
            if !found.iter().any(one) {
                let (node_type, name, other) = (definition.node_type, parameter.name, condition.parameter);
                wrong.push(format!(
                    "{node_type} {version}: {place}{name} is shown when {other} is {value}, which it never is"
                ));
            }
        }
    }
}

/// Names, words, defaults and conditions fit each other.
pub(super) fn check_words_and_conditions(registry: &NodeRegistry) {
    let mut wrong = Vec::new();
    for definition in registry.catalogue().iter() {
        check_list(definition, definition.parameters, definition.versions, "", &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every node type can be found, and says which credentials it takes.
pub(super) fn check_palette_and_credentials(registry: &NodeRegistry) {
    for definition in registry.catalogue().iter() {
        let (name, palette) = (definition.node_type, definition.palette);
        assert!(!palette.icon.is_empty(), "{name} has no icon");
        assert!(palette.aliases.iter().all(|alias| !alias.is_empty()), "{name}");
        for credential in definition.credentials {
            for condition in credential.shown_when {
                let versions = definition.versions.iter().filter(|version| credential.versions.contain(**version));
                let named = |version: &f64| {
                    let top = definition.parameters;
                    !deciding(top, top, condition, *version).is_empty()
                };
                let known = versions.clone().any(named);
                assert!(known, "{name}: {} rests on {}", credential.credential_type, condition.parameter);
            }
        }
        let ports = definition.port_names;
        assert!(ports.inputs.is_empty() || ports.inputs.len() == definition.ports.inputs, "{name}");
        assert!(ports.vary.is_none_or(|vary| vary.ends_with('.')), "{name}");
    }
}
