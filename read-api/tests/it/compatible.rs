//! What was released stays: the schema of the last release, in `released.graphql`, is compared with the present one, and
//! what would break its clients fails. A field is taken away only after a release in which it was `@deprecated`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned};

/// A field or an argument.
struct Part {
    of: Type,
    has_default: bool,
    deprecated: bool,
    arguments: BTreeMap<String, Part>,
}

/// What a type has, by name; what an enum, a union or a list of interfaces names has nothing of its own.
enum Kind {
    Scalar,
    Output { fields: BTreeMap<String, Part>, interfaces: BTreeSet<String> },
    Input(BTreeMap<String, Part>),
    Names { what: &'static str, names: BTreeMap<String, bool> },
}

fn is_deprecated(directives: &[Positioned<ConstDirective>]) -> bool {
    directives.iter().any(|directive| directive.node.name.node == "deprecated")
}

fn argument(definition: &InputValueDefinition) -> (String, Part) {
    let part = Part {
        of: definition.ty.node.clone(),
        has_default: definition.default_value.is_some(),
        deprecated: is_deprecated(&definition.directives),
        arguments: BTreeMap::new(),
    };
    (definition.name.node.to_string(), part)
}

fn field(definition: &FieldDefinition) -> (String, Part) {
    let part = Part {
        of: definition.ty.node.clone(),
        has_default: false,
        deprecated: is_deprecated(&definition.directives),
        arguments: definition.arguments.iter().map(|known| argument(&known.node)).collect(),
    };
    (definition.name.node.to_string(), part)
}

fn output(fields: &[Positioned<FieldDefinition>], implements: &[Positioned<Name>]) -> Kind {
    Kind::Output {
        fields: fields.iter().map(|known| field(&known.node)).collect(),
        interfaces: implements.iter().map(|name| name.node.to_string()).collect(),
    }
}

fn read(text: &str) -> BTreeMap<String, Kind> {
    let document = parse_schema(text).unwrap();
    let types = document.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(definition.node),
        _ => None,
    });
    let kind = |kind: TypeKind| match kind {
        TypeKind::Scalar => Kind::Scalar,
        TypeKind::Object(object) => output(&object.fields, &object.implements),
        TypeKind::Interface(interface) => output(&interface.fields, &interface.implements),
        TypeKind::Union(union) => Kind::Names {
            what: "member",
            names: union.members.iter().map(|member| (member.node.to_string(), false)).collect(),
        },
        TypeKind::Enum(listed) => Kind::Names {
            what: "value",
            names: listed
                .values
                .iter()
                .map(|value| (value.node.value.node.to_string(), is_deprecated(&value.node.directives)))
                .collect(),
        },
        TypeKind::InputObject(input) => Kind::Input(input.fields.iter().map(|known| argument(&known.node)).collect()),
    };
    types.map(|definition| (definition.name.node.to_string(), kind(definition.kind))).collect()
}

/// Whether whoever knew `old` understands what is given as `new`.
fn gives_as_much(old: &Type, new: &Type) -> bool {
    (old.nullable || !new.nullable) && same_inside(old, new, gives_as_much)
}

/// Whether what was taken as `old` is taken as `new`.
fn takes_as_much(old: &Type, new: &Type) -> bool {
    (new.nullable || !old.nullable) && same_inside(old, new, takes_as_much)
}

fn same_inside(old: &Type, new: &Type, inside: fn(&Type, &Type) -> bool) -> bool {
    match (&old.base, &new.base) {
        (BaseType::Named(old), BaseType::Named(new)) => old == new,
        (BaseType::List(old), BaseType::List(new)) => inside(old, new),
        _ => false,
    }
}

/// What of `new` would break clients that know `old`.
fn breaks(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (read(old), read(new));
    let mut found = Vec::new();
    for (name, old) in &old {
        match (old, new.get(name)) {
            (_, None) => found.push(format!("{name} is gone")),
            (Kind::Scalar, Some(Kind::Scalar)) => {}
            (Kind::Output { fields: old, interfaces: before }, Some(Kind::Output { fields: new, interfaces: now })) => {
                found.extend(before.difference(now).map(|gone| format!("{name} is no {gone} any more")));
                compare_fields(name, old, new, &mut found);
            }
            (Kind::Input(old), Some(Kind::Input(new))) => compare_inputs(name, old, new, &mut found),
            (Kind::Names { names: old, .. }, Some(Kind::Names { what, names: new })) => {
                let gone = old.iter().filter(|(value, deprecated)| !**deprecated && !new.contains_key(*value));
                found.extend(gone.map(|(value, _)| format!("the {what} {value} of {name} is gone")));
            }
            _ => found.push(format!("{name} is of another kind")),
        }
    }
    found
}

fn compare_fields(name: &str, old: &BTreeMap<String, Part>, new: &BTreeMap<String, Part>, found: &mut Vec<String>) {
    for (field, old) in old {
        let place = format!("{name}.{field}");
        match new.get(field) {
            None if old.deprecated => {}
            None => found.push(format!("{place} is gone")),
            Some(new) => {
                if !gives_as_much(&old.of, &new.of) {
                    found.push(format!("{place} was {} and is {}", old.of, new.of));
                }
                compare_inputs(&place, &old.arguments, &new.arguments, found);
            }
        }
    }
}

fn compare_inputs(place: &str, old: &BTreeMap<String, Part>, new: &BTreeMap<String, Part>, found: &mut Vec<String>) {
    for (name, old) in old {
        match new.get(name) {
            None if old.deprecated => {}
            None => found.push(format!("{name} of {place} is gone")),
            Some(new) if !takes_as_much(&old.of, &new.of) => {
                found.push(format!("{name} of {place} was {} and is {}", old.of, new.of));
            }
            Some(new) if old.has_default && !new.has_default && !new.of.nullable => {
                found.push(format!("{name} of {place} must be given now"));
            }
            Some(_) => {}
        }
    }
    let required = new.iter().filter(|(name, part)| !old.contains_key(*name) && !part.of.nullable && !part.has_default);
    found.extend(required.map(|(name, _)| format!("{name} of {place} is new and must be given")));
}

#[test]
fn the_present_schema_breaks_no_client_of_the_last_release() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("released.graphql");
    let released = std::fs::read_to_string(path).unwrap();
    assert_eq!(breaks(&released, &timeloom_read_api::sdl_text()), Vec::<String>::new());
}

const OLD: &str = "
    interface Thing { id: ID! }
    type Query { a(x: Int, y: Int! = 1): [String]! b: Int c: Thing old: Int @deprecated }
    type Item implements Thing { id: ID! }
    enum Colour { RED GREEN BLUE @deprecated }
    union Any = Query | Item
    input Ask { must: Int! may: Int }
    scalar When
";

#[test]
fn additions_and_looser_inputs_break_nobody() {
    let new = "
        interface Thing { id: ID! more: Int }
        type Query { a(x: Int, y: Int, z: Int, w: Int! = 2): [String!]! b: Int! c: Thing d: Int }
        type Item implements Thing { id: ID! more: Int }
        enum Colour { RED GREEN PINK }
        union Any = Query | Item | Other
        type Other { x: Int }
        input Ask { must: Int may: Int another: Int }
        scalar When
    ";
    assert_eq!(breaks(OLD, new), Vec::<String>::new());
}

#[test]
fn every_kind_of_break_is_found() {
    let new = "
        interface Thing { id: ID }
        type Query { a(x: Int!, z: Int!): [String] c: Item }
        type Item { id: ID! }
        enum Colour { GREEN }
        union Any = Item
        input Ask { must: Int! may: Int! another: Int! }
        enum When { NOW }
    ";
    let found = breaks(OLD, new);
    assert_eq!(
        found,
        [
            "the member Query of Any is gone",
            "may of Ask was Int and is Int!",
            "another of Ask is new and must be given",
            "the value RED of Colour is gone",
            "Item is no Thing any more",
            "Query.a was [String]! and is [String]",
            "x of Query.a was Int and is Int!",
            "y of Query.a is gone",
            "z of Query.a is new and must be given",
            "Query.b is gone",
            "Query.c was Thing and is Item",
            "Thing.id was ID! and is ID",
            "When is of another kind",
        ]
    );
}
