//! The tools: for each its name, what it takes and gives, and the document that it asks. None computes anything of its own.

mod changes;
mod events;
mod executions;
mod in_force;
mod past;
mod run;
mod workflows;

use serde_json::{Value, json};

use crate::api::{Api, Question};
use crate::arguments::Arguments;
use crate::bound::{ANSWER_BYTES_MAX, fit};
use crate::outcome::{Answer, Refusal, ask};

/// What a call does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Reads,
    /// Nodes run, which may do whatever they were built for.
    Runs,
    /// Something ends that ran. Once more changes nothing.
    Ends,
}

/// How a call comes to its outcome.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// One question, and what is told of its data.
    Asks {
        question: fn(&Arguments) -> Result<Question, Refusal>,
        tell: fn(&Arguments, Value) -> Result<Answer, Refusal>,
    },
    /// A run of the version of a workflow that is active.
    Runs,
}

/// A tool.
pub(crate) struct Tool {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub effect: Effect,
    pub input: fn() -> Value,
    pub output: fn() -> Value,
    /// What may be left out of an answer that is too large, see [`fit`].
    pub cuttable: &'static [&'static str],
    pub way: Way,
}

/// All tools, in the order in which they are listed.
pub(crate) static TOOLS: [&Tool; 13] = [
    &workflows::LIST,
    &workflows::GET,
    &executions::LIST,
    &executions::GET,
    &past::STATE,
    &past::COMPARE,
    &past::EXPLAIN,
    &events::SEARCH,
    &in_force::IN_FORCE,
    &run::RUN,
    &changes::RETRY,
    &changes::REDRIVE,
    &changes::CANCEL,
];

impl Tool {
    /// The tool as it is listed.
    pub fn listed(&self) -> Value {
        let (reads, ends) = (self.effect == Effect::Reads, self.effect == Effect::Ends);
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": (self.input)(),
            "outputSchema": (self.output)(),
            "annotations": {
                "title": self.title,
                "readOnlyHint": reads,
                "destructiveHint": !reads,
                "idempotentHint": reads || ends,
                "openWorldHint": self.effect == Effect::Runs,
            },
        })
    }

    /// What a call comes to, within its bounds.
    pub async fn call(&self, api: &dyn Api, arguments: &Arguments) -> Result<Answer, Refusal> {
        let Answer { body, summary } = match self.way {
            Way::Asks { question, tell } => tell(arguments, ask(api, question(arguments)?).await?)?,
            Way::Runs => run::run(api, arguments).await?,
        };
        let body = fit(body, self.cuttable, ANSWER_BYTES_MAX)?;
        Ok(Answer { body, summary })
    }
}

/// The tool with that name.
pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().copied().find(|tool| tool.name == name)
}

/// A question that changes nothing.
fn reads(document: &'static str, variables: Value) -> Question {
    Question { document, variables, key: None }
}

/// A change, known by the key that the call has for it.
fn changes(document: &'static str, input: Value, arguments: &Arguments) -> Question {
    let key = arguments.text(KEY).map(str::to_owned);
    Question { document, variables: json!({ "input": input }), key }
}

/// The argument by which a change is the same when it is sent again.
const KEY: &str = "idempotencyKey";

/// Its schema.
fn key() -> Value {
    json!({
        "type": "string",
        "pattern": "^[!-~]{1,255}$",
        "description": "A word of your own for this change: sent again with the same one, it happens once. The answer says then that it is repeated.",
    })
}

/// The moments that lists and things can be asked about.
fn moment(properties: Value) -> Value {
    let mut properties = crate::outcome::fields(properties);
    properties.insert(
        "position".to_owned(),
        crate::schema::position("As it was right after the event at this place of the log."),
    );
    properties.insert("time".to_owned(), crate::schema::time("As it was at this time"));
    Value::Object(properties)
}
