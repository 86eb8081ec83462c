//! The Agent aggregate: what an agent is, version by version. A version never changes; a run takes one and keeps to it.
//!
//! Nothing here runs an agent: that is [`crate::agent_run`]. Invariant: whatever a model may do through an agent stands in
//! the agent's record: its tools, what of each it may fill, and where each may reach.

mod command;
mod event;
mod http_tool;
mod limits;
pub mod mcp_tool;
mod record;
mod refusal;
mod state;
mod tool;

pub use command::AgentCommand;
pub use event::AgentEvent;
pub use http_tool::{HttpTool, ToolRequest};
pub use limits::AgentLimits;
pub use mcp_tool::{ListedTool, MCP_NODE, McpChange, McpChoice, McpPin, McpTool, McpTools};
pub use record::{
    AgentFallback, AgentKind, AgentMemorySettings, AgentRecord, AgentRequirements, InvalidAgent, PROMPT_BYTES_MAX,
    RECORD_BYTES_MAX,
};
pub use refusal::AgentRefusal;
pub use state::{Agent, AgentState, AgentVersion, VERSIONS_MAX};
pub use tool::{AgentTool, Approval, GIVEN_ARGUMENT, NodeTool, TOOLS_MAX, ToolAction, ToolCredential};

/// Longest reason that somebody gives, in characters.
pub const REASON_CHARACTERS_MAX: usize = 1_000;
/// Longest description, in characters.
pub const DESCRIPTION_CHARACTERS_MAX: usize = 4_000;
