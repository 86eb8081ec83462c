//! Short forms for the data that describes a node type.

use timeloom_domain::catalogue::{
    Choice, Condition, Constant, CredentialDefinition, Language, NodeGroup, Palette, ParameterDefinition,
    ParameterKind, PortNames, Ports, ResourceDefinition, ResourceMode, Section, Values, Versions,
};

/// Ports of a node that has one input and one output.
pub const ONE_TO_ONE: Ports = ports(1, 1);

/// Ports of a trigger: no input, one output.
pub const TRIGGER: Ports = ports(0, 1);

/// Ports of a node that closes no loops.
pub const fn ports(inputs: usize, outputs: usize) -> Ports {
    Ports { inputs, outputs, closes_loops: false }
}

/// How people find a node type.
pub const fn palette(group: NodeGroup, icon: &'static str, aliases: &'static [&'static str]) -> Palette {
    Palette { group, icon, aliases }
}

/// Names of outputs, where inputs have none.
pub const fn outputs(outputs: &'static [&'static str]) -> PortNames {
    PortNames { inputs: &[], outputs, vary: None }
}

/// Outputs whose number that sentence tells.
pub const fn outputs_vary(vary: &'static str) -> PortNames {
    PortNames { inputs: &[], outputs: &[], vary: Some(vary) }
}

/// A text of one line.
pub const fn text(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Text, description)
}

/// A text of several lines.
pub const fn long_text(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::LongText, description)
}

/// A number.
pub const fn number(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Number, description)
}

/// True or false.
pub const fn switch(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Boolean, description)
}

/// One of some words.
pub const fn options(name: &'static str, choices: &'static [Choice], description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Options(choices), description)
}

/// Several of some words.
pub const fn several(name: &'static str, choices: &'static [Choice], description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::MultiOptions(choices), description)
}

/// JSON, as text or as it is.
pub const fn json(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Json, description)
}

/// A date with a time.
pub const fn date_time(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::DateTime, description)
}

/// A colour.
pub const fn color(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Color, description)
}

/// A program.
pub const fn code(name: &'static str, language: Language, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Code(language), description)
}

/// An object with any of these fields.
pub const fn collection(
    name: &'static str,
    fields: &'static [ParameterDefinition],
    description: &'static str,
) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Collection(fields), description)
}

/// Entries below keys.
pub const fn list(name: &'static str, sections: &'static [Section], description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::List(sections), description)
}

/// Something that is chosen or named.
pub const fn resource(
    name: &'static str,
    of: &'static str,
    modes: &'static [ResourceMode],
    description: &'static str,
) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Resource(ResourceDefinition { of, modes }), description)
}

/// A way to name a resource: by a list, or by writing it.
pub const fn mode(name: &'static str, label: &'static str, placeholder: Option<&'static str>) -> ResourceMode {
    ResourceMode { name, label, listed: placeholder.is_none(), placeholder }
}

/// An object or array of the node's own shape.
pub const fn structure(name: &'static str, description: &'static str) -> ParameterDefinition {
    ParameterDefinition::new(name, ParameterKind::Structure, description)
}

/// A word that may be chosen.
pub const fn choice(value: &'static str, label: &'static str) -> Choice {
    Choice { value: Constant::Text(value), label, description: None }
}

/// A number that may be chosen.
pub const fn numbered(value: f64, label: &'static str) -> Choice {
    Choice { value: Constant::Number(value), label, description: None }
}

/// A word that may be chosen, and what it means.
pub const fn told(value: &'static str, label: &'static str, description: &'static str) -> Choice {
    Choice { value: Constant::Text(value), label, description: Some(description) }
}

/// A key with a list of entries.
pub const fn many(key: &'static str, label: &'static str, fields: &'static [ParameterDefinition]) -> Section {
    Section { key, label, many: true, fields }
}

/// A key with one entry.
pub const fn one(key: &'static str, label: &'static str, fields: &'static [ParameterDefinition]) -> Section {
    Section { key, label, many: false, fields }
}

/// That parameter is one of these words.
pub const fn is(parameter: &'static str, words: &'static [&'static str]) -> Condition {
    Condition { parameter, values: Values::Words(words) }
}

/// That parameter is true.
pub const fn on(parameter: &'static str) -> Condition {
    Condition { parameter, values: Values::Truth(true) }
}

/// That parameter is false.
pub const fn off(parameter: &'static str) -> Condition {
    Condition { parameter, values: Values::Truth(false) }
}

/// A credential that the node takes when these hold; a run without it fails then.
pub const fn needs(credential_type: &'static str, shown_when: &'static [Condition]) -> CredentialDefinition {
    CredentialDefinition { credential_type, required: true, shown_when, versions: Versions::ALL }
}

/// Lists one after the other.
pub const fn joined<T: Copy, const FIRST: usize, const LAST: usize, const ALL: usize>(
    first: [T; FIRST],
    middle: &[T],
    last: [T; LAST],
) -> [T; ALL] {
    let mut all = [middle[0]; ALL];
    let mut place = 0;
    while place < ALL {
        all[place] = if place < FIRST {
            first[place]
        } else if place < FIRST + middle.len() {
            middle[place - FIRST]
        } else {
            last[place - FIRST - middle.len()]
        };
        place += 1;
    }
    all
}

/// The words of choices, for a message.
pub fn words(choices: &[Choice]) -> String {
    choices.iter().map(|choice| choice.value.to_text()).collect::<Vec<_>>().join(", ")
}
