//! Short forms for the data that describes a node type.

use timeloom_domain::catalogue::{
    Choice, Condition, CredentialDefinition, NodeGroup, Palette, ParameterDefinition, ParameterKind, PortNames, Ports,
    Section, Values, Versions,
};

/// Ports of a node that has one input and one output.
pub(crate) const ONE_TO_ONE: Ports = ports(1, 1);

/// Ports of a trigger: no input, one output.
pub(crate) const TRIGGER: Ports = ports(0, 1);

/// Ports of a node that closes no loops.
pub(crate) const fn ports(inputs: usize, outputs: usize) -> Ports {
    Ports { inputs, outputs, closes_loops: false }
}

/// How people find a node type.
pub(crate) const fn palette(group: NodeGroup, icon: &'static str, aliases: &'static [&'static str]) -> Palette {
    Palette { group, icon, aliases }
}

/// Names of outputs, where inputs have none.
pub(crate) const fn outputs(outputs: &'static [&'static str]) -> PortNames {
    PortNames { inputs: &[], outputs, vary: None }
}

/// Outputs whose number that sentence tells.
pub(crate) const fn outputs_vary(vary: &'static str) -> PortNames {
    PortNames { inputs: &[], outputs: &[], vary: Some(vary) }
}

/// A parameter that may be absent.
pub(crate) const fn optional(
    name: &'static str,
    kind: ParameterKind,
    description: &'static str,
) -> ParameterDefinition {
    ParameterDefinition::new(name, kind, description)
}

/// A parameter without which a run fails.
pub(crate) const fn required(
    name: &'static str,
    kind: ParameterKind,
    description: &'static str,
) -> ParameterDefinition {
    ParameterDefinition { required: true, ..ParameterDefinition::new(name, kind, description) }
}

/// A word that may be chosen.
pub(crate) const fn choice(value: &'static str, label: &'static str) -> Choice {
    Choice { value, label, description: None }
}

/// A word that may be chosen, and what it means.
pub(crate) const fn told(value: &'static str, label: &'static str, description: &'static str) -> Choice {
    Choice { value, label, description: Some(description) }
}

/// A key with a list of entries.
pub(crate) const fn many(
    key: &'static str,
    label: &'static str,
    fields: &'static [ParameterDefinition],
) -> Section {
    Section { key, label, many: true, fields }
}

/// A key with one entry.
pub(crate) const fn one(
    key: &'static str,
    label: &'static str,
    fields: &'static [ParameterDefinition],
) -> Section {
    Section { key, label, many: false, fields }
}

/// That parameter is one of these words.
pub(crate) const fn is(parameter: &'static str, words: &'static [&'static str]) -> Condition {
    Condition { parameter, values: Values::Words(words) }
}

/// That parameter is true.
pub(crate) const fn on(parameter: &'static str) -> Condition {
    Condition { parameter, values: Values::Truth(true) }
}

/// That parameter is false.
pub(crate) const fn off(parameter: &'static str) -> Condition {
    Condition { parameter, values: Values::Truth(false) }
}

/// A credential that the node takes when these hold; a run without it fails then.
pub(crate) const fn needs(credential_type: &'static str, shown_when: &'static [Condition]) -> CredentialDefinition {
    CredentialDefinition { credential_type, required: true, shown_when, versions: Versions::ALL }
}
