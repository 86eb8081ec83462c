//! Tools of servers of the Model Context Protocol in a run: they are listed before the model is asked, and a list that is another
//! one than the grant was made for is refused, or somebody is asked about it first.

use serde_json::json;

use super::action::AgentAction;
use super::state::{ABOUT_TOOLS, AgentRun, CallState, ToolCall};
use crate::agent::{AgentTool, ListedTool, McpChange, McpTools, TOOLS_MAX, ToolAction};

impl AgentRun {
    /// A grant whose server was not asked yet for its tools.
    pub(super) fn unlisted(&self) -> Option<&AgentTool> {
        self.grants().map(|(grant, _)| grant).find(|grant| !self.listed.contains_key(&grant.name))
    }

    /// The grant of that name.
    pub fn grant(&self, name: &str) -> Option<(&AgentTool, &McpTools)> {
        self.grants().find(|(grant, _)| grant.name == name)
    }

    fn grants(&self) -> impl Iterator<Item = (&AgentTool, &McpTools)> {
        let planned = self.facts.as_deref().into_iter().flat_map(|facts| &facts.plan.tools);
        planned.filter_map(|tool| match &tool.does {
            ToolAction::Mcp(mcp) => Some((tool, mcp)),
            _ => None,
        })
    }

    /// The tools that a list adds to those of the run.
    ///
    /// # Errors
    /// What is wrong with the list, in words: a name that is taken, for example.
    pub fn tools_of(&self, grant: &str, listed: &[ListedTool]) -> Result<Vec<AgentTool>, String> {
        let (of, mcp) = self.grant(grant).ok_or_else(|| format!("nothing called '{grant}' was granted"))?;
        let added = mcp.granted(of, listed)?;
        let planned = self.facts.as_deref().into_iter().flat_map(|facts| &facts.plan.tools).chain(&self.found);
        let taken: Vec<&str> = planned.map(|tool| tool.name.as_str()).collect();
        if let Some(tool) = added.iter().find(|tool| taken.contains(&tool.name.as_str())) {
            return Err(format!("its tool would be called '{}', as another tool of the agent is", tool.name));
        }
        if taken.len() + added.len() > 2 * TOOLS_MAX {
            let most = 2 * TOOLS_MAX;
            return Err(format!(
                "the agent would have more than {most} tools with its own: name those that are needed"
            ));
        }
        Ok(added)
    }

    /// Folds a list in.
    pub(super) fn fold_list(&mut self, grant: &str, digest: &str, listed: &[ListedTool]) {
        // What cannot be granted was not let in.
        let Ok(added) = self.tools_of(grant, listed) else { return };
        let changed = self.grant(grant).filter(|(_, mcp)| mcp.is_changed(digest)).map(|(_, mcp)| mcp.clone());
        self.listed.insert(grant.to_owned(), digest.to_owned());
        self.found.extend(added);
        let Some(mcp) = changed else { return };
        match mcp.on_change {
            McpChange::Refuse => {
                let message = format!(
                    "the server of '{grant}' lists other tools than those it was granted for: look at them with `timeloom mcp \
                     tools`, and publish a version of the agent with the new pin {digest}"
                );
                self.failed_for_good = Some(("TOOLS_CHANGED".to_owned(), message));
            }
            McpChange::Ask => self.calls.push(self.question(grant, digest, &mcp, listed)),
        }
    }

    fn question(&self, grant: &str, digest: &str, mcp: &McpTools, listed: &[ListedTool]) -> ToolCall {
        let names: Vec<&str> = listed.iter().map(|tool| tool.name.as_str()).collect();
        let arguments = json!({"server": mcp.server, "pin": mcp.pin, "digest": digest, "tools": names});
        ToolCall {
            call: format!("{ABOUT_TOOLS}{}", self.listed.len()),
            provider_call: String::new(),
            tool: grant.to_owned(),
            arguments: arguments.to_string(),
            state: CallState::Due,
            attempts: 0,
        }
    }

    /// Somebody answered the question about the tools of a server.
    pub(super) fn answered_about_tools(&mut self, call: &str, denied: Option<&str>) {
        self.calls.retain(|known| known.call != call);
        if let Some(reason) = denied {
            let message =
                format!("somebody was asked about the changed tools of a server and did not take them: {reason}");
            self.failed_for_good = Some(("TOOLS_CHANGED".to_owned(), message));
        }
    }

    /// What is next where a grant's server was not asked yet.
    pub(super) fn next_list(&self) -> Option<AgentAction> {
        self.unlisted().map(|grant| AgentAction::ListTools { grant: grant.name.clone() })
    }
}
