//! Workflows and agents to begin with, as the program brings them along: files in `workflows/` and `agents/`.
//!
//! Never knows what can be made of them: it gives files, and whoever takes one in checks it like any other. Invariant: every file
//! that is listed here can be read; a test holds it.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

/// What comes of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateKind {
    /// A workflow file, as it is imported.
    Workflow,
    /// The record of an agent, as it is published.
    Agent,
}

/// A file of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    description: String,
    needs: Vec<String>,
    source: Value,
}

/// A workflow or an agent to begin with.
#[derive(Debug)]
pub struct Template {
    /// Its name: small letters, digits and hyphens.
    pub name: &'static str,
    /// What comes of it.
    pub kind: TemplateKind,
    /// What it is called.
    pub title: String,
    /// What it does.
    pub description: String,
    /// What has to be there before it runs; nothing where it runs at once.
    pub needs: Vec<String>,
    /// The file: JSON, as its kind has it.
    pub source: Value,
}

/// The files, by kind and name.
macro_rules! files {
    ($($kind:ident $folder:literal: $($name:literal),+;)+) => {
        &[$($((TemplateKind::$kind, $name, include_str!(concat!("../", $folder, "/", $name, ".json"))),)+)+]
    };
}

const FILES: &[(TemplateKind, &str, &str)] = files! {
    Workflow "workflows": "sum-up-open-orders", "answer-a-webhook", "wait-then-go-on", "bring-a-model-into-service";
    Agent "agents": "answer-from-documents", "look-up-and-act", "look-up-in-wikipedia", "read-invoices", "sort-messages";
};

static TEMPLATES: LazyLock<Vec<Template>> =
    LazyLock::new(|| FILES.iter().filter_map(|(kind, name, text)| read(*kind, name, text).ok()).collect());

fn read(kind: TemplateKind, name: &'static str, text: &str) -> serde_json::Result<Template> {
    let File { title, description, needs, source } = serde_json::from_str(text)?;
    Ok(Template { name, kind, title, description, needs, source })
}

/// All templates, those of workflows first, each kind in the order in which they are best looked at.
pub fn templates() -> &'static [Template] {
    &TEMPLATES
}

/// The template of that name.
pub fn template(name: &str) -> Option<&'static Template> {
    templates().iter().find(|template| template.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read_and_says_what_it_is() {
        for (kind, name, text) in FILES {
            let template = read(*kind, name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let is_word =
                |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
            assert!(name.chars().all(is_word), "{name}");
            assert!(!template.title.is_empty() && template.description.ends_with('.'), "{name}");
        }
        assert_eq!(templates().len(), FILES.len());
    }

    #[test]
    fn one_is_found_by_its_name_alone() {
        assert_eq!(template("sort-messages").map(|found| found.kind), Some(TemplateKind::Agent));
        assert!(template("Sort messages").is_none());
    }
}
