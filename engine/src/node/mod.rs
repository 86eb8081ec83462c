//! What a node type is, and what a node may use while it runs.
//!
//! A node never touches the log, a clock or chance: what it needs comes in through [`NodeRun`].

mod agents;
mod binaries;
mod credentials;
mod data_tables;
mod documents;
mod error;
mod features;
mod helpers;
mod listen;
mod models;
mod recall;
mod registry;
mod run;
mod sub_workflow;
mod vectors;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::execution::{Response, ResumeRule};
use timeloom_domain::item::Item;

pub use timeloom_commands::{RowsChange, SecretTexts};

pub use agents::{AgentAnswer, AgentAsk, AgentStep, Agents, NoAgents};
pub(crate) use binaries::hide_in_attachment;
pub use binaries::{Binaries, BinaryWriter, INLINE_BYTES_MAX, Parts, WHOLE_BYTES_MAX, blob_of, blocking};
pub use credentials::{CredentialPort, CredentialReference, FixedCredentials};
pub use data_tables::{DataTableError, DataTablePort, TableChange, TableStep, TransientTables};
pub use documents::{DocumentPort, NoDocuments, PdfQuestion, PdfText};
pub use error::{NodeError, NodeErrorKind};
pub use features::{AllFeatures, FeaturePort};
pub use helpers::Helpers;
pub(crate) use listen::ListeningParts;
pub use listen::{Hearing, Listen, Listening, Message, ON_ITS_OWN, Taken};
pub use models::Questions;
pub use recall::{RecallError, RecallPort, RecallScope, TransientRecall};
pub use registry::NodeRegistry;
pub use run::{Expressions, NodeRun, Services, Tracing};
pub use sub_workflow::{CallTarget, Caller, NoSubWorkflows, SubWorkflowCall, SubWorkflows};
pub use timeloom_egress::OutboundPolicy;
pub use vectors::{TransientVectors, VectorError, VectorPort};

/// One node type, in all its versions.
pub trait NodeType: Send + Sync {
    /// What is known about it without running it.
    fn definition(&self) -> NodeDefinition;

    /// Inputs and outputs of this very node, where its parameters or version decide about them.
    fn shape(&self, node: &Node) -> NodeShape {
        let _ = node;
        let ports = self.definition().ports;
        NodeShape { inputs: ports.inputs, outputs: ports.outputs, required_inputs: RequiredInputs::Any }
    }

    /// What the main outputs of this very node are called, in order; an empty text is no name, and the rest have none.
    fn output_names(&self, node: &Node) -> Vec<String> {
        let _ = node;
        self.definition().port_names.outputs.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Whether it mostly waits for other executions: its own gives its place among those under way up meanwhile.
    fn waits_for_others(&self) -> bool {
        false
    }

    /// Whether this very node remembers from one execution to the next.
    fn remembers(&self, node: &Node) -> bool {
        let _ = node;
        false
    }

    /// As what this very node can be attached to others, and what can be attached to it.
    fn helper_ports(&self, node: &Node) -> HelperPorts {
        let _ = node;
        HelperPorts::default()
    }

    /// What keeps this very node from working in an active workflow.
    fn problems(&self, node: &Node) -> Vec<Problem> {
        let _ = node;
        Vec::new()
    }

    /// How it listens, where it is a trigger that does.
    fn listens(&self) -> Option<&dyn Listen> {
        None
    }

    /// How it runs.
    fn behaviour(&self) -> Behaviour<'_>;
}

/// Inputs and outputs of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeShape {
    /// Main inputs.
    pub inputs: usize,
    /// Main outputs, the error output not counted.
    pub outputs: usize,
    /// Which inputs must have data, in execution order v1, before the node runs with empty lists for the others.
    pub required_inputs: RequiredInputs,
}

/// Which inputs must have data before a waiting node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredInputs {
    /// One is enough.
    Any,
    /// At least so many.
    AtLeast(usize),
    /// All.
    All,
}

/// How a node type runs.
pub enum Behaviour<'a> {
    /// Passes its input on: triggers, NoOp.
    PassThrough,
    /// Computes from its input alone; may be computed again after a crash.
    Pure(&'a dyn PureNode),
    /// Touches the outside world: at least once, with a stable idempotency key.
    Effect(&'a dyn EffectNode),
    /// Holds the execution up until a time, a request or a person.
    Wait(&'a dyn WaitNode),
}

/// A node that holds the execution up. What it gives is its input, or the items with which the execution is resumed.
pub trait WaitNode: Send + Sync {
    /// What it gives at once; `None` when it is asked for what it waits.
    ///
    /// # Errors
    /// As [`Self::wait`].
    fn at_once(&self, run: &mut NodeRun<'_>) -> Result<Option<NodeOutput>, NodeError> {
        let _ = run;
        Ok(None)
    }

    /// For what it waits; `None` when there is nothing to wait for.
    ///
    /// # Errors
    /// [`NodeError`] when the whole node fails; what happens then is the workflow's `onError`.
    fn wait(&self, run: &mut NodeRun<'_>) -> Result<Option<NodeWait>, NodeError>;
}

/// For what a node waits.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeWait {
    /// Until when at the longest, in milliseconds since 1970; `None` for as long as it takes.
    pub until_ms: Option<i64>,
    /// By what the execution may be called to go on before.
    pub resume: Option<ResumeRule>,
}

/// A node that computes from its input alone.
pub trait PureNode: Send + Sync {
    /// Runs over all items of the input.
    ///
    /// # Errors
    /// [`NodeError`] when the whole node fails; what happens then is the workflow's `onError`.
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError>;
}

/// A node that touches the outside world.
#[async_trait]
pub trait EffectNode: Send + Sync {
    /// Runs over all items of the input.
    ///
    /// # Errors
    /// [`NodeError`] when the whole node fails; what happens then is the workflow's `onError`.
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError>;
}

/// What a node gives: items by output index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeOutput {
    /// Items by output index.
    pub outputs: Vec<Vec<Item>>,
    /// Notices for the author, such as warnings.
    pub hints: Vec<String>,
    /// The answer to the request that started the execution, where the node gives it.
    pub response: Option<NodeResponse>,
    /// Facts by which the execution can be found.
    pub saved: BTreeMap<String, String>,
}

/// An answer that a node gives.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeResponse {
    /// The answer.
    pub response: Response,
    /// Whether more of the same answer follows.
    pub more: bool,
}

impl NodeOutput {
    /// Items on output 0 alone.
    pub fn single(items: Vec<Item>) -> Self {
        Self { outputs: vec![items], ..Self::default() }
    }

    /// Items by output index.
    pub fn many(outputs: Vec<Vec<Item>>) -> Self {
        Self { outputs, ..Self::default() }
    }
}

/// A node type behind a pointer.
pub type SharedNodeType = Arc<dyn NodeType>;
