//! Models and their versions as the protocol tells them.

use serde_json::{Value, json};
use timeloom_domain::model::ModelVersion;

use super::refusal::{Refusal, RefusalKind};
use super::registry::Registered;

/// The stage of the version that answers requests which name none.
pub(super) const PRODUCTION: &str = "Production";
/// The stage of versions that were withdrawn.
pub(super) const ARCHIVED: &str = "Archived";
/// The stage of all others.
pub(super) const NONE: &str = "None";

/// A model with the newest version of each stage.
pub(super) fn model(registered: &Registered) -> Value {
    let aliases: Vec<Value> = registered
        .model
        .aliases
        .iter()
        .map(|(alias, version)| json!({ "alias": alias.as_str(), "version": version.to_string() }))
        .collect();
    json!({
        "name": registered.name,
        "creation_timestamp": registered.created_ms,
        "last_updated_timestamp": registered.updated_ms,
        "description": registered.model.description,
        "latest_versions": latest(registered, &[]),
        "tags": [],
        "aliases": aliases,
    })
}

/// The newest version of each of these stages, or of all.
pub(super) fn latest(registered: &Registered, stages: &[&str]) -> Vec<Value> {
    let is_wanted = |stage: &str| stages.is_empty() || stages.iter().any(|wanted| wanted.eq_ignore_ascii_case(stage));
    let newest = |stage: &&str| {
        let mut versions = registered.model.versions.iter().rev();
        versions.find(|known| stage_of(registered, known) == *stage)
    };
    let found = [NONE, PRODUCTION, ARCHIVED].into_iter().filter(|stage| is_wanted(stage));
    found.filter_map(|stage| newest(&stage)).map(|known| version(registered, known)).collect()
}

/// A version.
pub(super) fn version(registered: &Registered, known: &ModelVersion) -> Value {
    let aliases = registered.model.aliases.iter().filter(|(_, version)| **version == known.version);
    let aliases: Vec<&str> = aliases.map(|(alias, _)| alias.as_str()).collect();
    let added_ms = registered.added_ms(known);
    let tags: Vec<Value> = tags(known).into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "name": registered.name,
        "version": known.version.to_string(),
        "creation_timestamp": added_ms,
        "last_updated_timestamp": added_ms,
        "current_stage": stage_of(registered, known),
        "description": "",
        "source": source(known),
        "run_id": "",
        "status": "READY",
        "status_message": known.withdrawn.as_deref().unwrap_or_default(),
        "tags": tags,
        "aliases": aliases,
    })
}

/// Where a version's file was taken from, or its digest: that is what it is known by here.
pub(super) fn source(known: &ModelVersion) -> String {
    let source = known.file.as_ref().and_then(|file| file.source.clone());
    source.unwrap_or_else(|| format!("sha256:{}", known.digest))
}

/// What is known of a version's file.
pub(super) fn tags(known: &ModelVersion) -> Vec<(&'static str, String)> {
    let mut tags = vec![("sha256", known.digest.clone()), ("format", known.format.clone())];
    if let Some(file) = &known.file {
        tags.push(("bytes", file.bytes.to_string()));
        tags.extend(file.licence.clone().map(|licence| ("licence", licence)));
    }
    tags
}

fn stage_of(registered: &Registered, known: &ModelVersion) -> &'static str {
    if known.withdrawn.is_some() {
        ARCHIVED
    } else if registered.model.promoted_version == Some(known.version) {
        PRODUCTION
    } else {
        NONE
    }
}

/// The version of that number.
pub(super) fn version_of(registered: &Registered, number: u32) -> Result<&ModelVersion, Refusal> {
    registered.model.version(number).ok_or_else(|| {
        let message = format!("the model '{}' has no version {number}: name one that it has", registered.name);
        Refusal::new(RefusalKind::Missing, message)
    })
}
