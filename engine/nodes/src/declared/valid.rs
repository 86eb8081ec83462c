//! The definitions against the check of workflows: what a form gives that is filled in with defaults can be saved.

use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::{Level, NodeDefinition};
use timeloom_domain::definition::{parse, validate};
use timeloom_engine::node::{NodeRegistry, SharedNodeType};

use super::{cases, filled};

/// Node types with their versions, and every combination of what decides about their parameters.
pub(super) fn each_case(
    registry: &NodeRegistry,
    mut look: impl FnMut(&SharedNodeType, &NodeDefinition, f64, &Map<String, Value>),
) {
    for definition in registry.catalogue().iter() {
        let node_type = registry.get(definition.node_type).unwrap();
        for version in definition.versions {
            for case in cases(definition, *version) {
                look(node_type, definition, *version, &case);
            }
        }
    }
}

/// A node of required parameters and defaults is a valid one.
pub(super) fn check_validity(registry: &NodeRegistry) {
    let catalogue = registry.catalogue();
    each_case(registry, |_, definition, version, case| {
        let said = Value::Object(case.clone());
        let parameters = filled(Level::of(definition, version, &said), case, true, |parameter| parameter.required);
        let node = json!({
            "id": "1", "name": "Tried", "type": definition.node_type, "typeVersion": version, "position": [0, 0],
            "parameters": parameters,
        });
        let file = json!({"name": "Tried", "nodes": [node], "connections": {}});
        let definition = parse(file.to_string().as_bytes()).unwrap();
        let checked = validate(&definition, &catalogue);
        assert!(checked.is_ok(), "{} {version}: {checked:?} in {parameters}", node["type"]);
    });
}
