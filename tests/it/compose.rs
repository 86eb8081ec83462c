//! The files under `infra/` are what they claim to be.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::tree::read;

fn compose() -> Value {
    serde_saphyr::from_str(&read("infra/docker-compose.yml")).unwrap()
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter()
}

/// Everything that looks like one of our environment variables.
fn variables(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    text.match_indices("TIMELOOM_")
        .map(|(start, _)| text[start..].chars().take_while(|letter| is_name(*letter)).collect())
        .collect()
}

#[test]
fn the_compose_file_follows_the_compose_specification() {
    let schema: Value = serde_json::from_str(&read("third_party/compose-spec/compose-spec.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(&compose()).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new());

    let mut wrong = compose();
    wrong["services"]["timeloom"]["portss"] = serde_json::json!(["1:1"]);
    assert!(!validator.is_valid(&wrong), "the schema must notice a misspelt field");
}

#[test]
fn every_service_can_be_checked_and_started_alone_or_by_its_profile() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert!(service["healthcheck"]["test"].is_array(), "{name} has no health check");
        let profiles = service.get("profiles").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(profiles, usize::from(name != "timeloom"), "only Timeloom starts without a profile");
        let volumes = service.get("volumes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        assert!(!volumes.is_empty() || name == "jaeger", "{name} keeps nothing: only traces may be forgotten");
        for mount in volumes {
            let (volume, _) = mount.as_str().unwrap().split_once(':').unwrap();
            assert!(
                compose["volumes"].get(volume).is_some(),
                "{name} uses the volume '{volume}', which is not declared"
            );
        }
    }
    assert!(read("infra/docker-compose.yml").contains("/health/live"));
}

#[test]
fn images_are_pinned_to_a_version() {
    let compose = compose();
    for (name, service) in services(&compose).filter(|(_, service)| service.get("build").is_none()) {
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: '{image}' has no tag"));
        assert!(tag.starts_with(|first: char| first.is_ascii_digit()), "{name}: '{tag}' is no version");
    }
    for line in read("infra/Dockerfile").lines().filter_map(|line| line.strip_prefix("FROM ")) {
        assert!(line.contains(':') && !line.contains(":latest"), "'{line}' has no version");
    }
}

#[test]
fn environment_variables_exist_in_the_configuration() {
    let mut known = variables(&read("server/src/config.rs"));
    known.extend(variables(&read("server/src/graphql_config.rs")));
    known.extend(variables(&read("server/src/oidc_config.rs")));
    known.extend(variables(&read("server/src/trace_config.rs")));
    assert!(known.len() > 3, "the configuration names its variables: {known:?}");
    for file in ["infra/docker-compose.yml", "infra/Dockerfile", "README.md", "docs/cli.md"] {
        let unknown: Vec<_> = variables(&read(file)).into_iter().filter(|name| !known.contains(name)).collect();
        assert_eq!(unknown, Vec::<String>::new(), "{file} names variables that the server does not read");
    }
}
