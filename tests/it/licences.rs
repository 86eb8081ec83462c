//! Every package that is built in has a licence from the list in `deny.toml`, and comes from the registry.

use crate::packages::metadata;
use crate::tree::read;

fn allowed() -> Vec<String> {
    let deny = read("deny.toml");
    let (_, list) = deny.split_once("allow = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an expression of licences can be met: `A OR (B AND C)`, and the older `A/B`.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    split(&expression, " OR ").iter().any(|choice| {
        split(choice, " AND ").iter().all(|part| match part.strip_prefix('(').and_then(|part| part.strip_suffix(')')) {
            Some(inner) => is_met(inner, allowed),
            None => allowed.iter().any(|licence| licence == part),
        })
    })
}

/// The parts between separators that are not inside parentheses.
fn split<'e>(expression: &'e str, separator: &str) -> Vec<&'e str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (index, letter) in expression.char_indices() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        if depth == 0 && expression[index..].starts_with(separator) {
            parts.push(expression[start..index].trim());
            start = index + separator.len();
        }
    }
    parts.push(expression[start..].trim());
    parts
}

/// Whether `deny.toml` excepts this package with this licence by name.
fn is_excepted(package: &str, licence: &str) -> bool {
    read("deny.toml").contains(&format!("{{ crate = \"{package}\", allow = [\"{licence}\"] }}"))
}

#[test]
fn packages_have_an_allowed_licence_and_come_from_the_registry() {
    let allowed = allowed();
    let mut faults = Vec::new();
    for package in metadata().packages {
        let licence = package.license.as_deref().unwrap_or("no licence");
        if !is_met(licence, &allowed) && !is_excepted(&package.name, licence) {
            faults.push(format!("{} {}: {licence}", package.name, package.version));
        }
        if package.source.is_some_and(|source| !source.is_crates_io()) {
            faults.push(format!("{} {} does not come from crates.io", package.name, package.version));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "ISC"].map(str::to_owned);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only/MIT", true),
        ("MIT AND ISC", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND ISC", true),
        ("(GPL-3.0-only OR AGPL-3.0-only) AND ISC", false),
        ("no licence", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}
