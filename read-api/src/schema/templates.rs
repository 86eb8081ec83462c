//! Workflows and agents to begin with, which the program brings along.

use async_graphql::{Enum, Object};
use serde_json::Value;
use timeloom_templates as brought;

/// The reads of templates.
#[derive(Debug, Default)]
pub(crate) struct TemplateQuery;

/// What comes of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "brought::TemplateKind")]
pub(crate) enum TemplateKind {
    /// A workflow: `importWorkflow` takes its source.
    Workflow,
    /// An agent: `publishAgentVersion` takes its source as the record.
    Agent,
}

/// A workflow or an agent to begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template(&'static brought::Template);

#[Object]
impl Template {
    /// Its name: small letters, digits and hyphens.
    async fn name(&self) -> &'static str {
        self.0.name
    }

    /// What comes of it.
    async fn kind(&self) -> TemplateKind {
        self.0.kind.into()
    }

    /// What it is called.
    async fn title(&self) -> &'static str {
        &self.0.title
    }

    /// What it does.
    async fn description(&self) -> &'static str {
        &self.0.description
    }

    /// What has to be there before it runs; nothing where it runs at once.
    async fn needs(&self) -> &'static [String] {
        &self.0.needs
    }

    /// The workflow's file, or the agent's record.
    async fn source(&self) -> Value {
        self.0.source.clone()
    }
}

#[Object]
impl TemplateQuery {
    /// Workflows and agents to begin with; `kind` chooses. They are the same for everybody.
    async fn templates(&self, kind: Option<TemplateKind>) -> Vec<Template> {
        let of_kind = |template: &&brought::Template| kind.is_none_or(|kind| template.kind == kind.into());
        brought::templates().iter().filter(of_kind).map(Template).collect()
    }
}
