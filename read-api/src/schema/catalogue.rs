//! The node catalogue, for editors and for help.

mod parameter;

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use serde_json::{Value, json};
use timeloom_domain::catalogue::{self as domain, NodeCatalogue, NodeDefinition};
use timeloom_domain::definition::Node;
use timeloom_domain::feature_flag::Feature;

pub(crate) use self::parameter::{NodeCredential, NodeParameter};
use self::parameter::{credential, parameters};
use super::reading::state;

/// What part a node type plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::NodeRole")]
pub(crate) enum NodeRole {
    /// Starts an execution by hand.
    ManualTrigger,
    /// Starts an execution from outside.
    Trigger,
    /// Computes from its input alone.
    Pure,
    /// Touches the outside world.
    Effect,
    /// Never runs by itself: serves the nodes that it is attached to, as their language model, their memory, a tool.
    Helper,
    /// Never runs: notes on the canvas.
    Annotation,
}

/// A group of node types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::NodeGroup")]
pub(crate) enum NodeGroup {
    /// What starts executions.
    Triggers,
    /// What decides where items go, and when.
    Flow,
    /// What changes items.
    Data,
    /// What speaks with others by HTTP, and what reads and writes files.
    HttpAndFiles,
    /// What asks models.
    Ai,
    /// What serves those that ask models: language models, memories, tools.
    AiParts,
    /// What keeps data elsewhere and finds them again.
    Databases,
    /// What newer node types do better: workflows of before have them.
    Older,
}

/// How many main inputs and outputs a node has.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodePorts {
    /// Main inputs.
    pub inputs: usize,
    /// Main outputs, the error output not counted.
    pub outputs: usize,
    /// What each output is called, as the parameters say; an empty text where it has no name.
    pub output_names: Vec<String>,
}

/// How a node meets those that serve others instead of running by themselves.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeHelperPorts {
    /// As what it can be attached to other nodes: kinds of connections, such as `ai_tool`.
    pub serves: Vec<&'static str>,
    /// What can be attached to it.
    pub takes: Vec<NodeHelperPlace>,
}

/// A place of a node at which others of one kind are attached.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeHelperPlace {
    /// Kind of the connection, such as `ai_languageModel`.
    pub kind: &'static str,
    /// Whether the node cannot run without one.
    pub required: bool,
}

/// A node type that this build runs.
pub(crate) struct NodeType {
    definition: NodeDefinition,
    catalogue: Arc<NodeCatalogue>,
}

#[Object]
impl NodeType {
    /// Type name, for example `n8n-nodes-base.set`.
    #[graphql(name = "type")]
    async fn node_type(&self) -> &'static str {
        self.definition.node_type
    }

    /// Name for people.
    async fn display_name(&self) -> &'static str {
        self.definition.display_name
    }

    /// One sentence: what it does.
    async fn description(&self) -> &'static str {
        self.definition.description
    }

    /// Versions that run here, ascending.
    async fn versions(&self) -> &'static [f64] {
        self.definition.versions
    }

    /// Whether nodes of it are not run for your tenant, because whoever runs the installation holds it back.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn switched_off(&self, context: &Context<'_>) -> Result<bool> {
        let state = state(context)?;
        let flags = state.commands().flags().now();
        Ok(!flags.is_on(&Feature::node(self.definition.node_type), state.tenant()))
    }

    /// What part it plays in a workflow.
    async fn role(&self) -> NodeRole {
        self.definition.role.into()
    }

    /// The group in which people look for it.
    async fn group(&self) -> NodeGroup {
        self.definition.palette.group.into()
    }

    /// A word for its picture.
    async fn icon(&self) -> &'static str {
        self.definition.palette.icon
    }

    /// Other words under which people look for it.
    async fn aliases(&self) -> &'static [&'static str] {
        self.definition.palette.aliases
    }

    /// How many main inputs it has, at least.
    async fn inputs(&self) -> usize {
        self.definition.ports.inputs
    }

    /// How many main outputs it has, at least.
    async fn outputs(&self) -> usize {
        self.definition.ports.outputs
    }

    /// Names of its inputs in order; empty when they have none.
    async fn input_names(&self) -> &'static [&'static str] {
        self.definition.port_names.inputs
    }

    /// Names of its outputs in order, such as `true` and `false`; empty when they have none.
    async fn output_names(&self) -> &'static [&'static str] {
        self.definition.port_names.outputs
    }

    /// What decides about the number of inputs or outputs, where it is not always the same: see `ports`.
    async fn ports_vary(&self) -> Option<&'static str> {
        self.definition.port_names.vary
    }

    /// How many inputs and outputs a node of this type has, with these parameters and in this version: in the newest, and
    /// with its defaults, where they are not given.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn ports(&self, type_version: Option<f64>, parameters: Option<Value>) -> Result<NodePorts> {
        let node = self.node(type_version, parameters)?;
        let ports = self.catalogue.ports(&node).unwrap_or(self.definition.ports);
        let output_names = self.catalogue.output_names(&node);
        Ok(NodePorts { inputs: ports.inputs, outputs: ports.outputs, output_names })
    }

    /// How a node of this type meets those that serve others, with these parameters and in this version: in the newest, and
    /// with its defaults, where they are not given.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn helper_ports(&self, type_version: Option<f64>, parameters: Option<Value>) -> Result<NodeHelperPorts> {
        let node = self.node(type_version, parameters)?;
        let ports = self.catalogue.helper_ports(&node).unwrap_or_default();
        let place = |place: domain::HelperPlace| NodeHelperPlace { kind: place.kind, required: place.required };
        Ok(NodeHelperPorts { serves: ports.serves, takes: ports.takes.into_iter().map(place).collect() })
    }

    /// Whether a loop may pass through it.
    async fn closes_loops(&self) -> bool {
        self.definition.ports.closes_loops
    }

    /// The credentials that it takes.
    async fn credentials(&self) -> Vec<NodeCredential> {
        let versions = self.definition.versions;
        self.definition.credentials.iter().map(|taken| credential(taken, versions)).collect()
    }

    /// Its parameters. A name may stand more than once: at most one of them is shown at a time.
    async fn parameters(&self) -> Vec<NodeParameter> {
        parameters(self.definition.parameters, self.definition.versions)
    }
}

impl NodeType {
    fn node(&self, type_version: Option<f64>, parameters: Option<Value>) -> Result<Node> {
        let newest = self.definition.versions.last().copied().unwrap_or(1.0);
        let parameters = parameters.unwrap_or_else(|| json!({}));
        if !parameters.is_object() {
            return Err("the parameters are not an object".into());
        }
        let node = json!({
            "id": "1", "name": self.definition.display_name, "type": self.definition.node_type,
            "typeVersion": type_version.unwrap_or(newest), "parameters": parameters,
        });
        Ok(serde_json::from_value(node)?)
    }
}

/// All node types, or the one named.
pub(crate) fn node_types(catalogue: &Arc<NodeCatalogue>, node_type: Option<&str>) -> Vec<NodeType> {
    let wanted = |known: &&NodeDefinition| node_type.is_none_or(|wanted| known.node_type == wanted);
    let of =
        |definition: &NodeDefinition| NodeType { definition: definition.clone(), catalogue: Arc::clone(catalogue) };
    catalogue.iter().filter(wanted).map(of).collect()
}
