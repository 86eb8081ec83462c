//! The parameters of node types, and the credentials that they take.

use async_graphql::{Enum, SimpleObject};
use serde_json::Value;
use timeloom_domain::catalogue::{self as domain, ParameterKind as DomainKind, Versions};

/// Kind of value that a parameter takes. Expressions are allowed everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ParameterKind {
    /// Text of one line.
    Text,
    /// Text of several lines.
    LongText,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of the values in `choices`.
    Options,
    /// A list of some of the values in `choices`.
    MultiOptions,
    /// JSON, as text or as it is.
    Json,
    /// A date with a time.
    DateTime,
    /// A colour: `#rrggbb`, `#rrggbbaa` or the name of one.
    Color,
    /// An object with any of the fields in `fields`.
    Collection,
    /// An object with any of the keys in `sections`, each with an object or a list of objects below it.
    List,
    /// Fields to set: `{"assignments": [{"id", "name", "type", "value"}]}`, with a type of `choices`.
    Assignments,
    /// Comparisons: `{"options": {"caseSensitive", "typeValidation", "version"}, "combinator", "conditions": [{"leftValue",
    /// "rightValue", "operator": {"type", "operation", "singleValue"}}]}`, with an operator of `operators`.
    Conditions,
    /// Something that is chosen or named: `{"__rl": true, "mode", "value"}`, with a mode of `resource`.
    Resource,
    /// An object or array of the node's own shape.
    Structure,
    /// A program in `language`.
    Code,
}

/// A language of programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "ParameterLanguage", remote = "domain::Language")]
pub(crate) enum Language {
    /// JavaScript.
    JavaScript,
    /// HTML.
    Html,
    /// CSS.
    Css,
    /// SQL.
    Sql,
    /// GraphQL.
    GraphQl,
    /// Markdown.
    Markdown,
}

/// One parameter of a node type, or one field of a parameter.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeParameter {
    /// Name in the workflow file.
    pub name: &'static str,
    /// Name for people.
    pub label: String,
    /// Kind of value.
    pub kind: ParameterKind,
    /// The words that are allowed, for options.
    pub options: Option<Vec<String>>,
    /// What may be chosen, with its name for people.
    pub choices: Option<Vec<ParameterChoice>>,
    /// Whether a run without it fails.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
    /// An example, for an empty field.
    pub placeholder: Option<&'static str>,
    /// Of what a text is the name, where it is chosen among those that there are: `agent`, `model` or `route`.
    pub names: Option<&'static str>,
    /// What the node takes when the parameter is absent.
    pub default: Option<Value>,
    /// All of these have to hold for the parameter to count.
    pub shown_when: Vec<ParameterCondition>,
    /// The node's versions that have it.
    pub versions: Vec<f64>,
    /// The language, of code.
    pub language: Option<Language>,
    /// The fields, of a collection.
    pub fields: Option<Vec<NodeParameter>>,
    /// The parts, of a list.
    pub sections: Option<Vec<ParameterSection>>,
    /// The comparisons, of conditions.
    pub operators: Option<Vec<ParameterOperator>>,
    /// What is named, of a resource.
    pub resource: Option<ParameterResource>,
}

/// Something that may be chosen.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParameterChoice {
    /// What stands in the file.
    pub value: Value,
    /// Name for people.
    pub label: &'static str,
    /// One sentence for people, where the name does not say it.
    pub description: Option<&'static str>,
}

/// What has to be so for a parameter to count: another one has one of these values. One that is absent has its default, one
/// that does not count itself has none, and an expression may have any.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParameterCondition {
    /// The other's name beside this one; with a slash before it, a parameter of the node itself.
    pub parameter: &'static str,
    /// The values.
    pub values: Vec<Value>,
}

/// One part of a list.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParameterSection {
    /// The key below which its entries are.
    pub key: &'static str,
    /// Name of one entry for people.
    pub label: &'static str,
    /// Whether a list of entries lies there, or one entry alone.
    pub many: bool,
    /// The fields of an entry.
    pub fields: Vec<NodeParameter>,
}

/// One comparison of conditions.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParameterOperator {
    /// Type of the left side.
    #[graphql(name = "type")]
    pub value_type: &'static str,
    /// The comparison.
    pub operation: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Type of the right side; null when there is none.
    pub right_type: Option<&'static str>,
}

/// What a resource is.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParameterResource {
    /// Its kind: `workflow`, `route`, `collection`.
    pub of: &'static str,
    /// The ways to name it, the usual one first.
    pub modes: Vec<ParameterResourceMode>,
}

/// A way to name a resource.
#[derive(Debug, SimpleObject)]
pub(crate) struct ParameterResourceMode {
    /// The word in `mode`.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Whether it is chosen from a list; it is written otherwise.
    pub listed: bool,
    /// An example, for an empty field.
    pub placeholder: Option<&'static str>,
}

/// A credential that a node type takes.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeCredential {
    /// Its type, for example `httpBasicAuth`.
    #[graphql(name = "type")]
    pub credential_type: &'static str,
    /// Whether a run without it fails.
    pub required: bool,
    /// All of these have to hold for it to be used.
    pub shown_when: Vec<ParameterCondition>,
    /// The node's versions that use it.
    pub versions: Vec<f64>,
}

/// Parameters of a node type of these versions.
pub(super) fn parameters(definitions: &[domain::ParameterDefinition], versions: &[f64]) -> Vec<NodeParameter> {
    definitions.iter().map(|definition| parameter(definition, versions)).collect()
}

/// A credential of a node type of these versions.
pub(super) fn credential(taken: &domain::CredentialDefinition, versions: &[f64]) -> NodeCredential {
    NodeCredential {
        credential_type: taken.credential_type,
        required: taken.required,
        shown_when: conditions(taken.shown_when),
        versions: within(&taken.versions, versions),
    }
}

fn parameter(definition: &domain::ParameterDefinition, versions: &[f64]) -> NodeParameter {
    let versions = within(&definition.versions, versions);
    let choices = match definition.kind {
        DomainKind::Options(choices) | DomainKind::MultiOptions(choices) | DomainKind::Assignments(choices) => {
            Some(choices)
        }
        _ => None,
    };
    let (mut language, mut fields, mut sections, mut operators, mut resource) = (None, None, None, None, None);
    match definition.kind {
        DomainKind::Code(of) => language = Some(of.into()),
        DomainKind::Collection(own) => fields = Some(parameters(own, &versions)),
        DomainKind::List(own) => sections = Some(own.iter().map(|own| section(own, &versions)).collect()),
        DomainKind::Conditions(own) => operators = Some(own.iter().map(operator).collect()),
        DomainKind::Resource(own) => resource = Some(self::resource(&own)),
        _ => {}
    }
    NodeParameter {
        name: definition.name,
        label: definition.label(),
        kind: kind(definition.kind),
        options: choices.map(|choices| choices.iter().map(|choice| choice.value.to_text()).collect()),
        choices: choices.map(|choices| choices.iter().map(choice).collect()),
        required: definition.required,
        description: definition.description,
        placeholder: definition.placeholder,
        names: definition.names,
        default: definition.default.map(|default| default.to_json()),
        shown_when: conditions(definition.shown_when),
        versions,
        language,
        fields,
        sections,
        operators,
        resource,
    }
}

fn kind(kind: DomainKind) -> ParameterKind {
    match kind {
        DomainKind::Text => ParameterKind::Text,
        DomainKind::LongText => ParameterKind::LongText,
        DomainKind::Number => ParameterKind::Number,
        DomainKind::Boolean => ParameterKind::Boolean,
        DomainKind::Options(_) => ParameterKind::Options,
        DomainKind::MultiOptions(_) => ParameterKind::MultiOptions,
        DomainKind::Json => ParameterKind::Json,
        DomainKind::DateTime => ParameterKind::DateTime,
        DomainKind::Color => ParameterKind::Color,
        DomainKind::Collection(_) => ParameterKind::Collection,
        DomainKind::List(_) => ParameterKind::List,
        DomainKind::Assignments(_) => ParameterKind::Assignments,
        DomainKind::Conditions(_) => ParameterKind::Conditions,
        DomainKind::Resource(_) => ParameterKind::Resource,
        DomainKind::Structure => ParameterKind::Structure,
        DomainKind::Code(_) => ParameterKind::Code,
    }
}

fn choice(choice: &domain::Choice) -> ParameterChoice {
    ParameterChoice { value: choice.value.to_json(), label: choice.label, description: choice.description }
}

fn conditions(conditions: &[domain::Condition]) -> Vec<ParameterCondition> {
    let one = |condition: &domain::Condition| ParameterCondition {
        parameter: condition.parameter,
        values: condition.values.to_json(),
    };
    conditions.iter().map(one).collect()
}

fn section(section: &domain::Section, versions: &[f64]) -> ParameterSection {
    let fields = parameters(section.fields, versions);
    ParameterSection { key: section.key, label: section.label, many: section.many, fields }
}

fn operator(operator: &domain::Operator) -> ParameterOperator {
    let domain::Operator { value_type, operation, label, right_type } = *operator;
    ParameterOperator { value_type, operation, label, right_type }
}

fn resource(resource: &domain::ResourceDefinition) -> ParameterResource {
    let mode = |mode: &domain::ResourceMode| ParameterResourceMode {
        name: mode.name,
        label: mode.label,
        listed: mode.listed,
        placeholder: mode.placeholder,
    };
    ParameterResource { of: resource.of, modes: resource.modes.iter().map(mode).collect() }
}

/// Those of the versions that lie in the range.
fn within(range: &Versions, versions: &[f64]) -> Vec<f64> {
    versions.iter().copied().filter(|version| range.contain(*version)).collect()
}
