//! What was released stays: the schema of the last release, in `released.graphql`, is compared with the present one, and
//! what would break its clients fails. A part is taken away only after a release in which it was `@deprecated`, and not before the
//! version that was named there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned, Value};

/// Major, minor, patch.
type Version = [u32; 3];

/// That a part is to go, and why, as its directive says.
type Farewell = Option<String>;

/// A field or an argument.
struct Part {
    of: Type,
    has_default: bool,
    farewell: Farewell,
    arguments: BTreeMap<String, Part>,
}

/// What a type has, by name; what an enum, a union or a list of interfaces names has nothing of its own.
enum Kind {
    Scalar,
    Output { fields: BTreeMap<String, Part>, interfaces: BTreeSet<String> },
    Input(BTreeMap<String, Part>),
    Names { what: &'static str, names: BTreeMap<String, Farewell> },
}

fn farewell(directives: &[Positioned<ConstDirective>]) -> Farewell {
    let found = directives.iter().find(|directive| directive.node.name.node == "deprecated")?;
    match found.node.get_argument("reason").map(|reason| &reason.node) {
        Some(Value::String(reason)) => Some(reason.clone()),
        _ => Some(String::new()),
    }
}

/// The version in which a part may go, by the end of its reason: `give x; goes in 1.2.0 at the earliest`.
fn goes_in(reason: &str) -> Option<Version> {
    let (instead, rest) = reason.split_once("; goes in ")?;
    let version = rest.strip_suffix(" at the earliest").filter(|_| !instead.trim().is_empty())?;
    let numbers: Option<Vec<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// Whether a part may be gone in that version.
fn may_go(farewell: &Farewell, version: Version) -> bool {
    farewell.as_deref().and_then(goes_in).is_some_and(|earliest| version >= earliest)
}

fn present_version() -> Version {
    let numbers: Vec<u32> = env!("CARGO_PKG_VERSION").split('.').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn argument(definition: &InputValueDefinition) -> (String, Part) {
    let part = Part {
        of: definition.ty.node.clone(),
        has_default: definition.default_value.is_some(),
        farewell: farewell(&definition.directives),
        arguments: BTreeMap::new(),
    };
    (definition.name.node.to_string(), part)
}

fn field(definition: &FieldDefinition) -> (String, Part) {
    let part = Part {
        of: definition.ty.node.clone(),
        has_default: false,
        farewell: farewell(&definition.directives),
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
            names: union.members.iter().map(|member| (member.node.to_string(), None)).collect(),
        },
        TypeKind::Enum(listed) => Kind::Names {
            what: "value",
            names: listed
                .values
                .iter()
                .map(|value| (value.node.value.node.to_string(), farewell(&value.node.directives)))
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

/// The name of the type inside lists.
fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

/// Whether all parts may be gone that lead to a type, so that it may, too.
fn may_type_go(name: &str, types: &BTreeMap<String, Kind>, version: Version) -> bool {
    let mut parts: Vec<&Part> = Vec::new();
    for kind in types.values() {
        match kind {
            Kind::Output { fields, .. } => {
                parts.extend(fields.values().flat_map(|field| field.arguments.values()));
                parts.extend(fields.values());
            }
            Kind::Input(fields) => parts.extend(fields.values()),
            Kind::Names { what: "member", names } if names.contains_key(name) => return false,
            Kind::Names { .. } | Kind::Scalar => {}
        }
    }
    let mut leading = parts.into_iter().filter(|part| named(&part.of) == name).peekable();
    leading.peek().is_some() && leading.all(|part| may_go(&part.farewell, version))
}

/// What of `new`, which is of a version, would break clients that know `old`.
fn breaks(old: &str, new: &str, version: Version) -> Vec<String> {
    let (old_types, new) = (read(old), read(new));
    let mut found = Vec::new();
    for (name, old) in &old_types {
        match (old, new.get(name)) {
            (_, None) if may_type_go(name, &old_types, version) => {}
            (_, None) => found.push(format!("{name} is gone")),
            (Kind::Scalar, Some(Kind::Scalar)) => {}
            (Kind::Output { fields: old, interfaces: before }, Some(Kind::Output { fields: new, interfaces: now })) => {
                found.extend(before.difference(now).map(|gone| format!("{name} is no {gone} any more")));
                compare_fields(name, (old, new), version, &mut found);
            }
            (Kind::Input(old), Some(Kind::Input(new))) => compare_inputs(name, (old, new), version, &mut found),
            (Kind::Names { names: old, .. }, Some(Kind::Names { what, names: new })) => {
                let is_gone =
                    |(value, farewell): &(&String, &Farewell)| !new.contains_key(*value) && !may_go(farewell, version);
                let gone = old.iter().filter(is_gone);
                found.extend(gone.map(|(value, _)| format!("the {what} {value} of {name} is gone")));
            }
            _ => found.push(format!("{name} is of another kind")),
        }
    }
    found
}

/// Parts of the same thing before and now.
type Both<'parts> = (&'parts BTreeMap<String, Part>, &'parts BTreeMap<String, Part>);

fn compare_fields(name: &str, (old, new): Both<'_>, version: Version, found: &mut Vec<String>) {
    for (field, old) in old {
        let place = format!("{name}.{field}");
        match new.get(field) {
            None if may_go(&old.farewell, version) => {}
            None => found.push(format!("{place} is gone")),
            Some(new) => {
                if !gives_as_much(&old.of, &new.of) {
                    found.push(format!("{place} was {} and is {}", old.of, new.of));
                }
                compare_inputs(&place, (&old.arguments, &new.arguments), version, found);
            }
        }
    }
}

fn compare_inputs(place: &str, (old, new): Both<'_>, version: Version, found: &mut Vec<String>) {
    for (name, old) in old {
        match new.get(name) {
            None if may_go(&old.farewell, version) => {}
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
    let found = breaks(&released, &timeloom_read_api::sdl_text(), present_version());
    assert_eq!(found, Vec::<String>::new());
}

/// What is to go, and what is wrong with how it says so.
fn unclear_farewells(schema: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |place: String, farewell: &Farewell| {
        if farewell.as_deref().is_some_and(|reason| goes_in(reason).is_none()) {
            found.push(place);
        }
    };
    for (name, kind) in read(schema) {
        match kind {
            Kind::Output { fields, .. } => {
                for (field, part) in fields {
                    check(format!("{name}.{field}"), &part.farewell);
                    let arguments = part.arguments.iter();
                    arguments
                        .for_each(|(argument, part)| check(format!("{argument} of {name}.{field}"), &part.farewell));
                }
            }
            Kind::Input(fields) => {
                fields.iter().for_each(|(field, part)| check(format!("{name}.{field}"), &part.farewell));
            }
            Kind::Names { names, .. } => {
                names.iter().for_each(|(value, farewell)| check(format!("{name}.{value}"), farewell));
            }
            Kind::Scalar => {}
        }
    }
    found
}

#[test]
fn what_is_to_go_says_what_to_use_and_in_which_version_it_goes() {
    assert_eq!(unclear_farewells(&timeloom_read_api::sdl_text()), Vec::<String>::new());
    let unclear = "
        type Query { a: Int @deprecated b(x: Int @deprecated(reason: \"give y\")): Int
            c: Int @deprecated(reason: \"; goes in 1.0.0 at the earliest\")
            d: Int @deprecated(reason: \"give e; goes in 1.0.0 at the earliest\") }
        enum Colour { RED @deprecated(reason: \"say BLUE; goes in 1 at the earliest\") BLUE }
        input Ask { may: Int @deprecated(reason: \"goes in 1.0.0 at the earliest\") must: Int! }
    ";
    assert_eq!(unclear_farewells(unclear), ["Ask.may", "Colour.RED", "Query.a", "x of Query.b", "Query.c"]);
}

#[test]
fn a_part_goes_in_the_version_that_it_named_and_not_before() {
    let old = "
        type Query { a: Int gone: Only @deprecated(reason: \"give a; goes in 0.2.0 at the earliest\") }
        type Only { x: Int }
        enum Colour { RED BLUE @deprecated(reason: \"say RED; goes in 0.2.0 at the earliest\") }
    ";
    let new = "type Query { a: Int } enum Colour { RED }";
    let early = ["the value BLUE of Colour is gone", "Only is gone", "Query.gone is gone"];
    assert_eq!(breaks(old, new, [0, 1, 9]), early);
    assert_eq!(breaks(old, new, [0, 2, 0]), Vec::<String>::new());
    assert_eq!(breaks(old, new, [1, 0, 0]), Vec::<String>::new());
    let in_use = "type Query { a: Only gone: Only @deprecated(reason: \"give a; goes in 0.2.0 at the earliest\") }
        type Only { x: Int }";
    assert_eq!(breaks(in_use, "type Query { b: Int }", [0, 2, 0]), ["Only is gone", "Query.a is gone"]);
}

const OLD: &str = "
    interface Thing { id: ID! }
    type Query { a(x: Int, y: Int! = 1): [String]! b: Int c: Thing old: Int @deprecated(reason: \"give b; goes in 0.1.0 at the earliest\") }
    type Item implements Thing { id: ID! }
    enum Colour { RED GREEN BLUE @deprecated(reason: \"say RED; goes in 0.1.0 at the earliest\") }
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
    assert_eq!(breaks(OLD, new, [0, 1, 0]), Vec::<String>::new());
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
    let found = breaks(OLD, new, [0, 1, 0]);
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
