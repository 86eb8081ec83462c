//! A session with a server: who it is, which tools it has, and calls of them.
//!
//! Whatever the server does, each step ends within a bounded number of messages and bytes; who asks bounds the time.

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::error::{McpError, told};
use super::http::Http;
use super::message::{OLDER_REVISION, REVISIONS, notice};
use super::older::Older;
use super::stdio::Program;

/// Most pages of a list of tools.
const PAGES_MAX: usize = 64;
/// Most tools of a server.
const TOOLS_MAX: usize = 1_000;
/// Most bytes of a list of tools, as JSON.
const LIST_BYTES_MAX: usize = 4 << 20;
/// Longest name of a tool, in characters.
const NAME_CHARACTERS_MAX: usize = 128;

/// How a server is reached.
pub(super) enum Wire {
    /// At an address.
    Http(Http),
    /// At an address, by the transport of 2024.
    Older(Box<Older>),
    /// As a program of this machine.
    Program(Program),
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Which version of itself it is.
    pub version: String,
    /// The revision of the protocol that is spoken.
    pub protocol: &'static str,
}

/// A session.
pub(super) struct Session {
    wire: Wire,
    asked: u64,
    pub(super) about: About,
}

impl Session {
    /// Begins a session.
    pub(super) async fn begin(wire: Wire) -> Result<Self, McpError> {
        let mut session = Self { wire, asked: 0, about: About::default() };
        session.initialize().await?;
        Ok(session)
    }

    async fn initialize(&mut self) -> Result<(), McpError> {
        let params = json!({
            "protocolVersion": REVISIONS[0],
            "capabilities": {},
            "clientInfo": {"name": "timeloom", "version": env!("CARGO_PKG_VERSION")},
        });
        let answer = match self.exchange("initialize", &params, None).await {
            Err(refused) if refused.is_of_older_transport() => {
                self.fall_back(refused).await?;
                self.exchange("initialize", &params, None).await?
            }
            answered => answered?,
        };
        let spoken = answer.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let older = if matches!(self.wire, Wire::Http(_)) { None } else { Some(OLDER_REVISION) };
        let known = REVISIONS.into_iter().chain(older).find(|revision| *revision == spoken);
        let protocol = known.ok_or_else(|| McpError::Revision(told(spoken)))?;
        let says = |field: &str| {
            let said = answer.get("serverInfo").and_then(|info| info.get(field)).and_then(Value::as_str);
            told(said.unwrap_or_default())
        };
        self.about = About { name: says("name"), version: says("version"), protocol };
        let ready = notice("notifications/initialized", &json!({}));
        match &mut self.wire {
            Wire::Http(http) => {
                http.agree(protocol);
                http.tell(&ready).await
            }
            Wire::Older(older) => {
                older.agree(protocol);
                older.http().tell(&ready).await
            }
            Wire::Program(program) => program.tell(&ready).await,
        }
    }

    /// Goes on by the transport of 2024 with a server that refused to begin; `refused` where it does not speak that either.
    async fn fall_back(&mut self, refused: McpError) -> Result<(), McpError> {
        let Wire::Http(http) = &self.wire else { return Err(refused) };
        let older = Older::open(http).await?.ok_or(refused)?;
        self.wire = Wire::Older(Box::new(older));
        Ok(())
    }

    /// The tools of the server, as it describes them.
    pub(super) async fn tools(&mut self) -> Result<Vec<Value>, McpError> {
        let (mut tools, mut bytes) = (Vec::new(), 0);
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let mut page = self.ask("tools/list", &params, None).await?;
            let Some(Value::Array(listed)) = page.get_mut("tools").map(Value::take) else {
                return Err(McpError::NotMcp("there is no list of tools in it".to_owned()));
            };
            for tool in listed {
                bytes += tool.to_string().len();
                tools.push(checked(tool)?);
            }
            if tools.len() > TOOLS_MAX {
                return Err(McpError::List(format!("has more than {TOOLS_MAX} tools")));
            }
            if bytes > LIST_BYTES_MAX {
                return Err(McpError::List(format!("has more than {LIST_BYTES_MAX} bytes")));
            }
            let next = page.get("nextCursor").and_then(Value::as_str).filter(|next| !next.is_empty());
            match (next, &cursor) {
                (None, _) => return only_once(tools),
                (Some(next), Some(before)) if next == before => {
                    return Err(McpError::List("leads from a page to the same page".to_owned()));
                }
                (Some(next), _) => cursor = Some(next.to_owned()),
            }
        }
        Err(McpError::List(format!("has more than {PAGES_MAX} pages")))
    }

    /// Calls a tool. `key` is the same in every attempt at the same call.
    pub(super) async fn call(&mut self, tool: &str, arguments: &Value, key: &str) -> Result<Value, McpError> {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}), Some(key)).await
    }

    /// Ends the session.
    pub(super) async fn end(self) {
        match self.wire {
            Wire::Http(http) => http.close().await,
            // Its stream ends with this.
            Wire::Older(_) => {}
            Wire::Program(program) => program.close().await,
        }
    }

    /// Asks, in a new session where the server knows this one no more: then it did nothing about the question.
    async fn ask(&mut self, method: &str, params: &Value, key: Option<&str>) -> Result<Value, McpError> {
        match self.exchange(method, params, key).await {
            Err(McpError::SessionGone) => {
                if let Wire::Http(http) = &mut self.wire {
                    http.forget();
                }
                self.initialize().await?;
                self.exchange(method, params, key).await
            }
            answered => answered,
        }
    }

    async fn exchange(&mut self, method: &str, params: &Value, key: Option<&str>) -> Result<Value, McpError> {
        self.asked += 1;
        let id = self.asked;
        match &mut self.wire {
            Wire::Program(program) => program.exchange(id, method, params).await,
            Wire::Http(http) => {
                let mut waiting = Waiting { server: Some(http.clone()), id };
                let answered = http.exchange(id, method, params, key).await;
                waiting.server = None;
                answered
            }
            Wire::Older(older) => {
                let mut waiting = Waiting { server: Some(older.http().clone()), id };
                let answered = older.exchange(id, method, params, key).await;
                waiting.server = None;
                answered
            }
        }
    }
}

/// A question that is waited for. A server at an address does not learn from the end of a connection that nobody waits any more.
struct Waiting {
    server: Option<Http>,
    id: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (Some(server), id) = (self.server.take(), self.id) else { return };
        // Who gave the wait up goes on at once; what is told takes a bounded time, and nothing depends on it.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move { server.give_up(id).await }));
        }
    }
}

/// A tool as a server lists it, with what is used of it and nothing else.
fn checked(tool: Value) -> Result<Value, McpError> {
    let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(McpError::List("has a tool whose name is empty or too long".to_owned()));
    }
    if !tool.get("inputSchema").is_some_and(Value::is_object) {
        return Err(McpError::List(format!("has a tool '{name}' that does not say what it takes")));
    }
    let mut kept = json!({"name": name, "inputSchema": tool["inputSchema"]});
    for field in ["title", "description"] {
        if let Some(text) = tool.get(field).and_then(Value::as_str) {
            kept[field] = json!(text);
        }
    }
    for field in ["outputSchema", "annotations"] {
        if let Some(object) = tool.get(field).filter(|value| value.is_object()) {
            kept[field] = object.clone();
        }
    }
    Ok(kept)
}

fn only_once(tools: Vec<Value>) -> Result<Vec<Value>, McpError> {
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool.get("name").and_then(Value::as_str)).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(McpError::List(format!("has two tools called '{}'", pair[0])));
    }
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_tool_only_what_is_known_is_kept() {
        let tool = json!({
            "name": "add", "description": "Adds.", "inputSchema": {"type": "object"}, "icons": [1], "outputSchema": "no",
            "annotations": {"readOnlyHint": true},
        });
        let wanted = json!({
            "name": "add", "description": "Adds.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true},
        });
        assert_eq!(checked(tool).unwrap(), wanted);
        for wrong in [json!({"name": "add"}), json!({"name": "", "inputSchema": {}}), json!(1)] {
            assert!(matches!(checked(wrong), Err(McpError::List(_))));
        }
        let twice = vec![json!({"name": "a"}), json!({"name": "b"}), json!({"name": "a"})];
        assert!(only_once(twice).unwrap_err().to_string().contains("two tools called 'a'"));
    }
}
