//! Any bytes as a workflow file: they are refused in words, or they are a definition that is written and read the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::definition::{Graph, parse, validate};

static CATALOGUE: LazyLock<NodeCatalogue> = LazyLock::new(|| timeloom_nodes::registry::all().catalogue());

fuzz_target!(|bytes: &[u8]| {
    let Ok(definition) = parse(bytes) else { return };
    if let Err(error) = validate(&definition, &CATALOGUE) {
        assert!(!error.to_string().is_empty(), "a refusal says why");
        return;
    }
    let written = serde_json::to_vec(&definition).unwrap();
    assert_eq!(parse(&written).unwrap(), definition, "what was taken in is read back the same");
    let _ = Graph::new(&definition).start_node(&definition, &CATALOGUE, None);
});
