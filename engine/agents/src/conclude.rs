//! What a run is to give, and what is remembered of it.

use serde_json::Value;
use timeloom_commands::agent::schema::check_value;
use timeloom_domain::agent_memory::{AgentMemoryCommand, Exchange};
use timeloom_domain::agent_run::{AgentRun, AgentRunEvent, REPAIRS_MAX};
use timeloom_domain::ids::CommandId;
use uuid::Uuid;

use crate::drive::{Driver, Taken, wait_out};

/// Longest text that is remembered of either side, in bytes.
const REMEMBERED_BYTES_MAX: usize = 16 << 10;
/// Pause before the log is asked again that failed.
const FAULT_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

impl Driver {
    pub(crate) async fn read_memory(&self, run: &AgentRun) -> Taken {
        let Some(facts) = run.facts.as_deref() else { return Taken::Look };
        let session = facts.session.clone().unwrap_or_default();
        let most = facts.plan.memory.map_or(0, |memory| memory.exchanges_max as usize);
        let (commands, mut pause) = (&self.runs.inner.parts.commands, FAULT_PAUSE);
        let memory = loop {
            match commands.agent_memory(&self.context(), &facts.agent, &session).await {
                Ok(memory) => break memory,
                Err(error) => wait_out(&error, &mut pause).await,
            }
        };
        let surplus = memory.exchanges.len().saturating_sub(most);
        let exchanges = memory.exchanges.into_iter().skip(surplus).collect();
        self.take(AgentRunEvent::AgentMemoryRead { exchanges, at_ms: self.now_ms() }).await
    }

    pub(crate) async fn conclude(&self, run: &AgentRun, text: String, remembers: bool) -> Taken {
        let Some(facts) = run.facts.as_deref() else { return Taken::Look };
        let at_ms = self.now_ms();
        let output = match &facts.plan.output_schema {
            None => Value::String(text.clone()),
            Some(schema) => match read_as(schema, &text) {
                Ok(output) => output,
                Err(message) if run.repairs < REPAIRS_MAX => {
                    return self.take(AgentRunEvent::AgentOutputRejected { turn: run.turn, message, at_ms }).await;
                }
                Err(message) => {
                    let code = "INVALID_OUTPUT".to_owned();
                    let message = format!("the answer does not fit the agent's output schema: {message}");
                    return self.take(AgentRunEvent::AgentRunFailed { code, message, at_ms }).await;
                }
            },
        };
        if remembers {
            return self.remember(run, &text).await;
        }
        self.take(AgentRunEvent::AgentRunCompleted { output, at_ms }).await
    }

    /// Remembers what was asked and answered, once, however often it is tried.
    async fn remember(&self, run: &AgentRun, answered: &str) -> Taken {
        let Some(facts) = run.facts.as_deref() else { return Taken::Look };
        let (agent, session) = (facts.agent.clone(), facts.session.clone().unwrap_or_default());
        let asked = match &facts.input {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let exchange = Exchange { run: self.run, asked: cut(&asked), answered: cut(answered) };
        let exchanges_max = facts.plan.memory.map_or(1, |memory| memory.exchanges_max);
        let command =
            AgentMemoryCommand::Remember { agent: agent.clone(), session: session.clone(), exchange, exchanges_max };
        let mut context = self.context();
        context.command_id = CommandId(Uuid::new_v5(&self.run.0, b"remember"));
        let (commands, mut pause) = (&self.runs.inner.parts.commands, FAULT_PAUSE);
        loop {
            match commands.change_agent_memory(&context, &agent, &session, command.clone()).await {
                Ok(_) => break,
                Err(timeloom_commands::CommandError::Refused(refusal)) => return Taken::Refused(refusal.message),
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
        self.take(AgentRunEvent::AgentMemoryWritten { at_ms: self.now_ms() }).await
    }
}

/// The value that a text is, which models like to put between fences.
fn read_as(schema: &Value, text: &str) -> Result<Value, String> {
    let text = text.trim();
    let inner = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    let text = inner.and_then(|inner| inner.strip_suffix("```")).unwrap_or(text);
    let value = serde_json::from_str(text.trim()).map_err(|error| format!("it is not JSON: {error}"))?;
    check_value(schema, &value)?;
    Ok(value)
}

pub(crate) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(REMEMBERED_BYTES_MAX)].to_owned()
}
