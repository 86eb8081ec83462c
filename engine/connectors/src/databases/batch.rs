//! How the statements of many items are run: each by itself, or all or none of them.
//!
//! Never keeps more of a database's answers than was granted: see [`Budget`].

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::sql::Statement;

/// Most rows that one run of a node gives.
pub(crate) const ROWS_MAX: usize = 100_000;
/// What a value takes in memory beside its text, in bytes.
const VALUE_BYTES: usize = 32;

/// A connection on which statements run one after the other.
#[async_trait]
pub(crate) trait Session: Send {
    /// Runs one statement.
    async fn run(&mut self, statement: &Statement) -> Result<Answer, NodeError>;

    /// Begins a transaction.
    async fn begin(&mut self) -> Result<(), NodeError>;

    /// Ends the transaction: all of it is done, or none.
    async fn end(&mut self, done: bool) -> Result<(), NodeError>;
}

/// What a statement came to.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Rows, where it gives some.
    pub rows: Vec<JsonObject>,
    /// Whether it is one that gives rows, even if there are none.
    pub has_rows: bool,
    /// What the database says of it otherwise.
    pub told: JsonObject,
}

/// What is left of the rows and bytes that one run of a node may give.
#[derive(Debug)]
pub(crate) struct Budget {
    rows: usize,
    bytes: usize,
    bytes_max: usize,
}

impl Budget {
    /// [`ROWS_MAX`] rows with so many bytes in all.
    pub fn new(bytes_max: usize) -> Self {
        Self { rows: ROWS_MAX, bytes: bytes_max, bytes_max }
    }

    /// Takes a row off.
    ///
    /// # Errors
    /// [`NodeError`] when there are too many rows, or too much in them.
    pub fn take(&mut self, row: &JsonObject) -> Result<(), NodeError> {
        let advice = "select fewer rows or columns, or page by page with a limit";
        self.rows = self.rows.checked_sub(1).ok_or_else(|| {
            NodeError::operation(format!("the database gives more than {ROWS_MAX} rows")).described(advice)
        })?;
        let weight: usize = row.iter().map(|(name, value)| name.len() + weight(value)).sum();
        self.bytes = self.bytes.checked_sub(weight).ok_or_else(|| {
            NodeError::operation(format!("the database gives more than {} bytes", self.bytes_max)).described(advice)
        })?;
        Ok(())
    }
}

fn weight(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(parts) => parts.iter().map(weight).sum(),
            Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// How statements belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batching {
    /// All at once.
    Single,
    /// Each item by itself.
    Independently,
    /// All or none, in a transaction.
    Transaction,
}

impl Batching {
    /// That of the word in the option.
    ///
    /// # Errors
    /// [`NodeError`] when it is not known.
    pub fn read(run: &mut NodeRun<'_>, path: &str) -> Result<Self, NodeError> {
        match run.text(path, 0, "single")?.as_str() {
            "single" | "multiple" => Ok(Self::Single),
            "independently" => Ok(Self::Independently),
            "transaction" => Ok(Self::Transaction),
            other => Err(NodeError::operation(format!("the query batching '{other}' is not known"))),
        }
    }
}

/// What of an answer becomes items.
pub(crate) type Shape = dyn Fn(&Statement, Answer) -> Vec<JsonObject> + Send + Sync;

/// The statements of one item.
pub(crate) struct Task {
    /// The item.
    pub index: usize,
    /// Whether an item tells that all went well, where no row comes back.
    pub tells_success: bool,
    /// Its statements, or why there are none.
    pub statements: Result<Vec<Statement>, NodeError>,
}

/// Runs tasks.
pub(crate) struct Runner<'r> {
    /// The items that the tasks are of.
    pub items: &'r Items,
    /// How they belong together.
    pub batching: Batching,
    /// Whether what belongs together runs in a transaction even where nobody asked for one.
    pub is_atomic: bool,
    /// Whether a failure is passed on as an item.
    pub goes_on: bool,
}

impl Runner<'_> {
    /// Runs the tasks and makes items of what they come to.
    ///
    /// # Errors
    /// [`NodeError`] when a statement fails and the node does not go on.
    pub async fn run(
        &self,
        session: &mut dyn Session,
        tasks: Vec<Task>,
        shape: &Shape,
    ) -> Result<Vec<Item>, NodeError> {
        if self.batching == Batching::Independently {
            return self.each(session, tasks, shape).await;
        }
        match self.together(session, tasks, shape).await {
            Ok(items) => Ok(items),
            Err(error) if self.goes_on => Ok(vec![self.failed(&error, error.item_index.unwrap_or_default())]),
            Err(error) => Err(error),
        }
    }

    async fn each(&self, session: &mut dyn Session, tasks: Vec<Task>, shape: &Shape) -> Result<Vec<Item>, NodeError> {
        let mut given = Vec::new();
        for task in tasks {
            let index = task.index;
            match one(session, task, shape, true).await {
                Ok(items) => given.extend(items),
                Err(error) if self.goes_on => given.push(self.failed(&error, index)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(given)
    }

    async fn together(
        &self,
        session: &mut dyn Session,
        tasks: Vec<Task>,
        shape: &Shape,
    ) -> Result<Vec<Item>, NodeError> {
        let count: usize = tasks.iter().map(|task| task.statements.as_ref().map_or(1, Vec::len)).sum();
        // Some statements run outside of transactions alone; one by itself is all or nothing anyway.
        let is_transaction = count > 1 && (self.is_atomic || self.batching == Batching::Transaction);
        if is_transaction {
            session.begin().await?;
        }
        let is_each_told = self.batching == Batching::Transaction;
        let tells_success = tasks.iter().any(|task| task.tells_success);
        let mut given = Vec::new();
        for task in tasks {
            let index = task.index;
            match one(session, task, shape, is_each_told).await {
                Ok(items) => given.extend(items),
                Err(error) => {
                    if is_transaction {
                        // A connection that cannot even take back is closed, which takes back as well.
                        let _ = session.end(false).await;
                    }
                    return Err(error.at_item(index));
                }
            }
        }
        if is_transaction {
            session.end(true).await?;
        }
        if given.is_empty() && tells_success {
            given.push(success(0));
        }
        Ok(given)
    }

    fn failed(&self, error: &NodeError, index: usize) -> Item {
        let item = self.items.get(index).map(|item| item.json.to_value()).unwrap_or_default();
        let told = json!({"message": error.message, "item": item, "error": error.to_json()});
        let Value::Object(told) = told else { return Item::default() };
        Item::new(told).paired_with(index)
    }
}

async fn one(session: &mut dyn Session, task: Task, shape: &Shape, is_told: bool) -> Result<Vec<Item>, NodeError> {
    let mut given = Vec::new();
    for statement in task.statements? {
        let answer = session.run(&statement).await?;
        given.extend(shape(&statement, answer).into_iter().map(|json| Item::new(json).paired_with(task.index)));
    }
    if given.is_empty() && is_told && task.tells_success {
        given.push(success(task.index));
    }
    Ok(given)
}

fn success(index: usize) -> Item {
    Item::new(JsonObject::from_iter([("success".to_owned(), Value::Bool(true))])).paired_with(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_what_is_in_them_are_bounded() {
        let row = |text: &str| JsonObject::from_iter([("a".to_owned(), json!([text, {"b": text}]))]);
        let mut budget = Budget::new(4_096);
        assert_eq!(budget.take(&row("x")), Ok(()));
        let large = budget.take(&row(&"x".repeat(4_096))).unwrap_err();
        assert!(large.message.contains("4096 bytes") && large.description.is_some(), "{large}");
        let mut budget = Budget::new(usize::MAX);
        let many = (0..=ROWS_MAX).find_map(|_| budget.take(&JsonObject::new()).err()).unwrap();
        assert!(many.message.contains("100000 rows"), "{many}");
    }
}
