//! `timeloom template`: workflows and agents to begin with.

use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_templates::{Template, TemplateKind, template, templates};

use super::{Access, Failure, agent, output, service_nodes};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum TemplateVerb {
    /// List the workflows and agents to begin with
    List {
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the file of one, to change it before it is taken in
    Show {
        /// Its name.
        name: String,
    },
    /// Make a workflow or an agent of one
    Use {
        /// Its name.
        name: String,
        /// What the workflow or the agent is called; absent = as the template.
        #[arg(long = "as", value_name = "NAME")]
        called: Option<String>,
        /// The route of the gateway by which the agent asks its model; absent = fast.
        #[arg(long, value_name = "ROUTE")]
        model: Option<String>,
        #[command(flatten)]
        access: Access,
    },
}

impl TemplateVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { json } => {
                list(json);
                Ok(())
            }
            Self::Show { name } => {
                let source = &found(&name)?.source;
                output::line(&serde_json::to_string_pretty(source)?);
                Ok(())
            }
            Self::Use { name, called, model, access } => take(found(&name)?, called, model, &access, config).await,
        }
    }
}

fn found(name: &str) -> Result<&'static Template, Failure> {
    template(name).ok_or_else(|| {
        output::error(&format!("there is no template '{name}': timeloom template list names them"));
        Failure::Refused
    })
}

fn kind(template: &Template) -> &'static str {
    match template.kind {
        TemplateKind::Workflow => "workflow",
        TemplateKind::Agent => "agent",
    }
}

fn list(as_json: bool) {
    if as_json {
        let told = |template: &Template| {
            json!({
                "name": template.name, "kind": kind(template), "title": template.title,
                "description": template.description, "needs": template.needs,
            })
        };
        output::json(&templates().iter().map(told).collect());
        return;
    }
    let row = |template: &Template| {
        let needs = if template.needs.is_empty() { "-".to_owned() } else { template.needs.join("; ") };
        vec![template.name.to_owned(), kind(template).to_owned(), template.title.clone(), needs]
    };
    output::table(&["NAME", "KIND", "TITLE", "NEEDS"], &templates().iter().map(row).collect::<Vec<_>>());
}

/// Makes what a template is of.
async fn take(
    template: &Template,
    called: Option<String>,
    model: Option<String>,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let mut source = template.source.clone();
    match template.kind {
        TemplateKind::Workflow => {
            if model.is_some() {
                output::error(&format!("'{}' is a workflow: --model is for agents", template.name));
                return Err(Failure::Refused);
            }
            if let Some(called) = called {
                source["name"] = Value::String(called);
            }
            service_nodes::import_source(json!({ "definition": source }), access, config).await?;
        }
        TemplateKind::Agent => {
            if let Some(model) = model {
                source["model"] = Value::String(model);
            }
            let name = called.as_deref().unwrap_or(template.name);
            agent::publish(name, &source, &template.description, access, config).await?;
        }
    }
    for need in &template.needs {
        output::notice(&format!("it needs {need}"));
    }
    Ok(())
}
