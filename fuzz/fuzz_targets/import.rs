//! Any bytes as a workflow file: they are refused in words, or they are a definition that is written and read the same.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::definition::{Graph, Step, check_structure, draft_problems, parse, validate};

static CATALOGUE: LazyLock<NodeCatalogue> = LazyLock::new(|| timeloom_nodes::registry::all().catalogue());

fuzz_target!(|bytes: &[u8]| {
    let Ok(definition) = parse(bytes) else { return };
    if let Err(error) = check_structure(&definition) {
        assert!(!error.to_string().is_empty(), "a refusal says why");
        return;
    }
    let written = serde_json::to_vec(&definition).unwrap();
    assert_eq!(parse(&written).unwrap(), definition, "what was taken in is read back the same");
    let problems = draft_problems(&definition, &CATALOGUE);
    if let Err(error) = validate(&definition, &CATALOGUE) {
        let is_told = problems.iter().any(|problem| problem.hinders(Step::Publish));
        assert!(is_told, "what would not run is told: {error}");
    }
    let _ = Graph::new(&definition).start_node(&definition, &CATALOGUE, None);
});
