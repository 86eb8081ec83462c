//! The floors of the house: who may import whom. See ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, PackageId};

use crate::packages::metadata;
use crate::tree::root;

/// Floor of the crate of the tests, above all others.
const TESTS: u8 = 9;

/// One crate.
struct Room {
    name: &'static str,
    folder: &'static str,
    floor: u8,
    /// A crate on the same floor that this one may import all the same: the port that it implements.
    port: Option<&'static str>,
    /// Crates on lower floors that it may not import all the same.
    never: &'static [&'static str],
}

const BACKENDS: [&str; 3] = ["timeloom-store-esdb", "timeloom-store-postgres", "timeloom-store-sqlite"];
const STORES: [&str; 4] = ["timeloom-store", "timeloom-store-esdb", "timeloom-store-postgres", "timeloom-store-sqlite"];

static ROOMS: [Room; 32] = [
    room("timeloom-domain", "domain", 0),
    room("timeloom-egress", "engine/egress", 0),
    room("timeloom-verify", "verify", 0),
    room("timeloom-debugger", "debugger", 0),
    room("timeloom-templates", "templates", 0),
    room("timeloom-store", "store", 1),
    room("timeloom-postgres-testing", "store/postgres/testing", 0),
    Room { port: Some("timeloom-store"), ..room("timeloom-store-postgres", "store/postgres", 1) },
    Room { port: Some("timeloom-store"), ..room("timeloom-store-sqlite", "store/sqlite", 1) },
    Room { never: &BACKENDS, ..room("timeloom-archive", "store/archive", 2) },
    Room { port: Some("timeloom-store"), ..room("timeloom-store-esdb", "store/esdb", 1) },
    Room { never: &BACKENDS, ..room("timeloom-commands", "commands", 2) },
    Room { never: &BACKENDS, ..room("timeloom-projections", "projections", 2) },
    Room { never: &BACKENDS, ..room("timeloom-history", "history", 2) },
    Room { never: &STORES, ..room("timeloom-expressions", "expressions", 2) },
    Room { port: Some("timeloom-expressions"), never: &STORES, ..room("timeloom-sandbox", "expressions/sandbox", 2) },
    Room { never: &STORES, ..room("timeloom-gateway", "inference/gateway", 2) },
    Room { never: &STORES, ..room("timeloom-inference", "inference/runtime", 2) },
    Room {
        never: &["timeloom-projections", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-engine", "engine", 3)
    },
    Room {
        never: &["timeloom-projections", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-inference-worker", "inference/worker", 3)
    },
    Room {
        never: &["timeloom-commands", "timeloom-store", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-language", "inference/language", 3)
    },
    Room { never: &["timeloom-engine"], ..room("timeloom-monitor", "monitor", 3) },
    Room {
        never: &[
            "timeloom-store",
            "timeloom-store-postgres",
            "timeloom-store-sqlite",
            "timeloom-commands",
            "timeloom-projections",
        ],
        ..room("timeloom-nodes", "engine/nodes", 4)
    },
    Room { never: &STORES, ..room("timeloom-documents", "engine/documents", 4) },
    Room {
        never: &["timeloom-projections", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-agents", "engine/agents", 4)
    },
    Room {
        never: &["timeloom-engine", "timeloom-store-esdb", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-esdb-front", "store/esdb-front", 4)
    },
    Room {
        never: &["timeloom-engine", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-read-api", "read-api", 4)
    },
    Room {
        never: &["timeloom-engine", "timeloom-store-postgres", "timeloom-store-sqlite"],
        ..room("timeloom-inference-front", "inference/front", 4)
    },
    Room { never: &STORES, ..room("timeloom-mcp", "mcp", 4) },
    Room {
        never: &[
            "timeloom-store",
            "timeloom-store-postgres",
            "timeloom-store-sqlite",
            "timeloom-commands",
            "timeloom-projections",
        ],
        ..room("timeloom-connectors", "engine/connectors", 5)
    },
    room("timeloom-server", "server", 6),
    room("timeloom-tests", "tests", TESTS),
];

/// Crates that build and test in seconds: none of [`HEAVY`] may come with them.
const LIGHT: [&str; 12] = [
    "timeloom-debugger",
    "timeloom-verify",
    "timeloom-domain",
    "timeloom-store",
    "timeloom-store-postgres",
    "timeloom-store-sqlite",
    "timeloom-commands",
    "timeloom-projections",
    "timeloom-history",
    "timeloom-expressions",
    "timeloom-engine",
    "timeloom-monitor",
];

const HEAVY: [&str; 5] = ["actix-web", "async-graphql", "ort", "reqwest", "wasmtime"];

const fn room(name: &'static str, folder: &'static str, floor: u8) -> Room {
    Room { name, folder, floor, port: None, never: &[] }
}

fn find(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// Why `from` may not import `to`, if so. Tests may use a lower crate that the code is forbidden, but never go up.
fn objection(from: &Room, to: &Room, for_tests: bool) -> Option<&'static str> {
    if from.never.contains(&to.name) && !for_tests {
        Some("is forbidden for this crate")
    } else if to.floor > from.floor {
        Some("goes up")
    } else if to.floor == from.floor && from.port != Some(to.name) && from.name != to.name {
        Some("goes to a sibling")
    } else {
        None
    }
}

#[test]
fn every_crate_has_a_room_and_every_arrow_goes_down() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(from) = find(&package.name) else {
            faults.push(format!("{} has no row in tests/it/floors.rs and ARCHITECTURE.md", package.name));
            continue;
        };
        let folder = package.manifest_path.parent().unwrap();
        if folder != root().join(from.folder) {
            faults.push(format!("{} lies in {folder}, not in {}", from.name, from.folder));
        }
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let for_tests = dependency.kind == DependencyKind::Development;
            match find(&dependency.name).map(|to| objection(from, to, for_tests)) {
                None => faults.push(format!("{} imports {}, which has no row", from.name, dependency.name)),
                Some(Some(why)) => faults.push(format!("{} -> {}: this arrow {why}", from.name, dependency.name)),
                Some(None) => {}
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn lower_floors_come_without_heavy_dependencies() {
    let metadata = metadata();
    let graph = Imports::new(&metadata);
    let mut faults = Vec::new();
    for light in LIGHT {
        for name in graph.all_of(light) {
            if HEAVY.contains(&name) {
                faults.push(format!("{light} comes with {name}"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new(), "move what needs it up");
}

#[test]
fn the_walk_finds_heavy_dependencies_where_they_belong() {
    let metadata = metadata();
    let found = Imports::new(&metadata).all_of("timeloom-sandbox");
    assert!(found.contains("wasmtime"), "the sandbox runs WebAssembly, so the test above would see it");
}

#[test]
fn wrong_arrows_are_noticed() {
    let arrow = |from: &str, to: &str| objection(find(from).unwrap(), find(to).unwrap(), false);
    assert_eq!(arrow("timeloom-domain", "timeloom-store"), Some("goes up"));
    assert_eq!(arrow("timeloom-commands", "timeloom-projections"), Some("goes to a sibling"));
    assert_eq!(arrow("timeloom-store", "timeloom-store-sqlite"), Some("goes to a sibling"));
    assert_eq!(arrow("timeloom-read-api", "timeloom-engine"), Some("is forbidden for this crate"));
    assert_eq!(arrow("timeloom-store-sqlite", "timeloom-store"), None);
    assert_eq!(arrow("timeloom-engine", "timeloom-domain"), None);
}

/// Who imports whom, packages of others included, without what only tests need.
struct Imports<'m> {
    names: BTreeMap<&'m PackageId, &'m str>,
    arrows: BTreeMap<&'m PackageId, Vec<&'m PackageId>>,
}

impl<'m> Imports<'m> {
    fn new(metadata: &'m Metadata) -> Self {
        let names = metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
        let nodes = &metadata.resolve.as_ref().unwrap().nodes;
        let arrows = nodes
            .iter()
            .map(|node| {
                let real = node
                    .deps
                    .iter()
                    .filter(|arrow| arrow.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
                (&node.id, real.map(|arrow| &arrow.pkg).collect())
            })
            .collect();
        Self { names, arrows }
    }

    fn all_of(&self, name: &str) -> BTreeSet<&'m str> {
        let start = self.names.iter().find(|(_, known)| **known == name).map(|(id, _)| *id);
        let mut open: Vec<&PackageId> = start.into_iter().collect();
        assert!(!open.is_empty(), "there is no package {name}");
        let mut seen: BTreeSet<&'m PackageId> = open.iter().copied().collect();
        while let Some(next) = open.pop() {
            open.extend(self.arrows[next].iter().copied().filter(|id| seen.insert(id)));
        }
        seen.into_iter().map(|id| self.names[id]).collect()
    }
}
