//! Commands on agents, and on what they remember. Schemas are enforced here, before anything becomes an event.

mod run;

use std::collections::BTreeMap;

use serde_json::Value;
use timeloom_domain::access::Permission;
use timeloom_domain::agent::{
    Agent, AgentCommand, AgentEvent, AgentRecord, AgentRefusal, AgentTool, MCP_NODE, NodeTool, ToolAction,
};
use timeloom_domain::agent_memory::{AgentMemory, AgentMemoryCommand, AgentMemoryEvent, memory_id};
use timeloom_domain::catalogue::NodeRole;
use timeloom_domain::ids::Slug;
use timeloom_domain::item::JsonObject;

/// JSON Schemas of agents.
pub use timeloom_domain::json_schema as schema;

pub use run::{AgentForkTurn, ForkAgentRun, StartAgentRun};

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

impl Commands {
    /// Takes a name for an agent.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn register_agent(
        &self,
        context: &CommandContext,
        name: Slug,
        description: String,
        owner: Option<String>,
    ) -> Result<Outcome<Slug>, CommandError> {
        let owner = owner.unwrap_or_else(|| context.actor.to_string());
        self.change_agent(context, name.clone(), AgentCommand::Register { name, description, owner }).await
    }

    /// Lets a version of an agent come out; it gets the next number. The same record again adds nothing.
    ///
    /// # Errors
    /// A refusal where its schemas are none, its configuration does not fit, or a tool is not there; a conflict or fault.
    pub async fn publish_agent_version(
        &self,
        context: &CommandContext,
        name: Slug,
        record: AgentRecord,
    ) -> Result<Outcome<Slug>, CommandError> {
        record.check().map_err(|invalid| invalid_record(invalid.to_string()))?;
        self.check_record(&record)?;
        self.change_agent(context, name, AgentCommand::Publish { record: Box::new(record) }).await
    }

    /// Lets runs of an agent begin with another configuration.
    ///
    /// # Errors
    /// A refusal where it does not fit the schema of the newest version; a conflict or fault.
    pub async fn configure_agent(
        &self,
        context: &CommandContext,
        name: Slug,
        config: JsonObject,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let agent = self.load::<Agent>(&self.stream::<AgentEvent>(context, &name)).await?;
        let schema = agent.aggregate.versions.last().and_then(|newest| newest.record.config_schema.as_ref());
        fits("INVALID_CONFIG", "the configuration", schema, &Value::Object(config.clone()))?;
        self.change_agent(context, name, AgentCommand::Configure { config }).await
    }

    /// Says that an agent should not be used any more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn deprecate_agent(
        &self,
        context: &CommandContext,
        name: Slug,
        reason: String,
        replacement: Option<Slug>,
    ) -> Result<Outcome<Slug>, CommandError> {
        self.change_agent(context, name, AgentCommand::Deprecate { reason, replacement }).await
    }

    /// Puts an agent away for good.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn retire_agent(&self, context: &CommandContext, name: Slug) -> Result<Outcome<Slug>, CommandError> {
        self.change_agent(context, name, AgentCommand::Retire).await
    }

    /// What an agent remembers of a session.
    ///
    /// # Errors
    /// A fault.
    pub async fn agent_memory(
        &self,
        context: &CommandContext,
        agent: &Slug,
        session: &str,
    ) -> Result<AgentMemory, CommandError> {
        let stream = self.stream::<AgentMemoryEvent>(context, memory_id(agent, session));
        Ok(self.load::<AgentMemory>(&stream).await?.aggregate.clone())
    }

    /// Changes what an agent remembers of a session.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_agent_memory(
        &self,
        context: &CommandContext,
        agent: &Slug,
        session: &str,
        command: AgentMemoryCommand,
    ) -> Result<Outcome<()>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let stream = self.stream::<AgentMemoryEvent>(context, memory_id(agent, session));
        self.execute::<AgentMemory>(context, stream, command, Base::Current).await
    }

    async fn change_agent(
        &self,
        context: &CommandContext,
        name: Slug,
        command: AgentCommand,
    ) -> Result<Outcome<Slug>, CommandError> {
        context.require(Permission::RegistryWrite)?;
        let stream = self.stream::<AgentEvent>(context, &name);
        let changed = self.execute::<Agent>(context, stream, command, Base::Current).await;
        Ok(changed.map_err(|error| naming(error, &name))?.with(name))
    }

    /// Whether what is written in a record is there.
    fn check_record(&self, record: &AgentRecord) -> Result<(), Refusal> {
        let schemas = [
            ("input_schema", record.input_schema.as_ref()),
            ("output_schema", record.output_schema.as_ref()),
            ("config_schema", record.config_schema.as_ref()),
        ];
        for (place, schema) in schemas {
            if let Some(schema) = schema {
                schema::check_schema(schema).map_err(|why| invalid_record(format!("{place}: {why}")))?;
            }
        }
        let config = Value::Object(record.config.clone());
        fits("INVALID_CONFIG", "the configuration", record.config_schema.as_ref(), &config)?;
        record.tools.iter().try_for_each(|tool| self.check_tool(tool))
    }

    fn check_tool(&self, tool: &AgentTool) -> Result<(), Refusal> {
        let wrong = |why: String| invalid_record(format!("tools.{}: {why}", tool.name));
        schema::check_schema(&tool.parameters).map_err(wrong)?;
        let no_fills = BTreeMap::new();
        let (node_type, fills) = match &tool.does {
            ToolAction::Node(NodeTool { node_type, fills, .. }) => (node_type.as_str(), fills),
            // Who may publish agents may not for that reason publish workflows.
            ToolAction::Inline { .. } => {
                return Err(wrong("it brings a workflow along: publish the workflow and name it".to_owned()));
            }
            ToolAction::Http(_) | ToolAction::Workflow { .. } => return Ok(()),
            ToolAction::Mcp(_) => (MCP_NODE, &no_fills),
            ToolAction::McpTool(_) => {
                return Err(wrong("it is a tool as runs find it: use the kind \"mcp\"".to_owned()));
            }
        };
        let known = self.catalogue().get(node_type);
        let known = known.ok_or_else(|| wrong(format!("this build has no node of type {node_type}")))?;
        if !matches!(known.role, NodeRole::Pure | NodeRole::Effect) {
            return Err(wrong(format!("a node of type {node_type} begins workflows: it can be no tool")));
        }
        match fills.keys().find(|argument| !tool.may_fill(argument) && !tool.fixed.contains_key(*argument)) {
            Some(argument) => {
                Err(wrong(format!("'{argument}' is filled in and is no argument: add it to the parameters")))
            }
            None => Ok(()),
        }
    }
}

/// Tells which agent there is none of.
fn naming(error: CommandError, name: &Slug) -> CommandError {
    match error {
        CommandError::Refused(refusal) if refusal.code == "AGENT_NOT_FOUND" => {
            Refusal::from(AgentRefusal::NoAgent(name.clone())).into()
        }
        other => other,
    }
}

fn invalid_record(message: String) -> Refusal {
    Refusal::new("INVALID_AGENT", message)
}

/// Refuses a value that does not fit.
fn fits(code: &'static str, what: &str, schema: Option<&Value>, value: &Value) -> Result<(), Refusal> {
    let Some(schema) = schema else { return Ok(()) };
    schema::check_value(schema, value).map_err(|why| Refusal::new(code, format!("{what} does not fit: {why}")))
}
