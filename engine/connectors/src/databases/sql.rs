//! Statements with their values, in the words of one database or another.
//!
//! Never puts a value into the text: values go beside it, names are quoted.

use std::fmt::Write as _;

use serde_json::Value;
use timeloom_engine::node::NodeError;

use super::lexer::{Piece, pieces};

/// Whose words a statement is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

/// A statement and what stands for its parameters, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// The text, with a placeholder for each value.
    pub text: String,
    /// The values.
    pub values: Vec<Value>,
}

/// A statement that is being written.
pub(crate) struct Writer {
    dialect: Dialect,
    text: String,
    values: Vec<Value>,
}

impl Dialect {
    /// A name, quoted.
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A table in a schema, where one is given.
    pub fn table(self, schema: &str, table: &str) -> String {
        if schema.is_empty() { self.quoted(table) } else { format!("{}.{}", self.quoted(schema), self.quoted(table)) }
    }

    /// Names with commas between them.
    pub fn list<'n>(self, names: impl IntoIterator<Item = &'n str>) -> String {
        names.into_iter().map(|name| self.quoted(name)).collect::<Vec<_>>().join(", ")
    }
}

impl Writer {
    /// An empty statement.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), values: Vec::new() }
    }

    /// Adds text as it is.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a name, quoted.
    pub fn name(&mut self, name: &str) -> &mut Self {
        let quoted = self.dialect.quoted(name);
        self.push(&quoted)
    }

    /// Adds a placeholder for a value.
    pub fn value(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        match self.dialect {
            Dialect::Postgres => {
                // Writing to a text cannot fail.
                let _ = write!(self.text, "${}", self.values.len());
            }
            Dialect::MySql | Dialect::Sqlite => self.text.push('?'),
        }
        self
    }

    /// Adds several values with commas between them.
    pub fn values(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                self.push(", ");
            }
            self.value(value);
        }
        self
    }

    /// The statement.
    pub fn finish(self) -> Statement {
        Statement { text: self.text, values: self.values }
    }
}

/// The statements of a text that an author wrote, with values for its parameters. `$1:name` is a name, `$1:csv` is as many
/// values as there are in a list.
///
/// # Errors
/// [`NodeError`] when a parameter has no value, or is used in a way that is not known.
pub(crate) fn written(source: &str, values: &[Value], dialect: Dialect) -> Result<Vec<Statement>, NodeError> {
    let mut statements = Vec::new();
    let mut writer = Writer::new(dialect);
    // The value of each placeholder of Postgres, so that one which is used twice has one place.
    let mut places: Vec<(usize, usize)> = Vec::new();
    for piece in pieces(source, dialect) {
        match piece {
            Piece::Plain(text) => {
                writer.push(text);
            }
            Piece::End => {
                finish(&mut statements, std::mem::replace(&mut writer, Writer::new(dialect)));
                places.clear();
            }
            Piece::Parameter { number, filter } => {
                let value = values.get(number - 1).ok_or_else(|| lacking(number, values.len()))?;
                match filter {
                    None => parameter(&mut writer, &mut places, number, value),
                    Some("name") => {
                        writer.push(&names(value, dialect)?);
                    }
                    Some("csv" | "list") => {
                        writer.values(listed(value));
                    }
                    Some(other) => return Err(unknown_filter(number, other)),
                }
            }
        }
    }
    finish(&mut statements, writer);
    if statements.is_empty() {
        return Err(NodeError::operation("the query is empty: write one"));
    }
    Ok(statements)
}

fn parameter(writer: &mut Writer, places: &mut Vec<(usize, usize)>, number: usize, value: &Value) {
    let known = places.iter().find(|(of, _)| *of == number).map(|(_, place)| *place);
    match known.filter(|_| writer.dialect == Dialect::Postgres) {
        Some(place) => {
            writer.push(&format!("${place}"));
        }
        None => {
            writer.value(value.clone());
            places.push((number, writer.values.len()));
        }
    }
}

fn finish(statements: &mut Vec<Statement>, writer: Writer) {
    let statement = writer.finish();
    if !statement.text.trim().is_empty() {
        statements.push(statement);
    }
}

fn names(value: &Value, dialect: Dialect) -> Result<String, NodeError> {
    match value {
        Value::String(name) => Ok(dialect.quoted(name)),
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_string) => {
            Ok(dialect.list(list.iter().filter_map(Value::as_str)))
        }
        _ => Err(NodeError::operation("what stands for a name is neither a text nor a list of texts")),
    }
}

fn listed(value: &Value) -> Vec<Value> {
    match value {
        // No value at all is no SQL; a comparison with nothing finds nothing.
        Value::Array(list) if list.is_empty() => vec![Value::Null],
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    }
}

fn lacking(number: usize, count: usize) -> NodeError {
    NodeError::operation(format!("the query has a parameter ${number}, and {count} values are given"))
        .described("give a value for each parameter in the option Query Parameters")
}

fn unknown_filter(number: usize, filter: &str) -> NodeError {
    NodeError::operation(format!("${number}:{filter} is not known: a parameter can be :name or :csv"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(source: &str, values: Value, dialect: Dialect) -> Result<Vec<(String, Value)>, String> {
        let Value::Array(values) = values else { panic!("values are a list") };
        let statements = written(source, &values, dialect).map_err(|error| error.message)?;
        Ok(statements.into_iter().map(|statement| (statement.text, Value::Array(statement.values))).collect())
    }

    #[test]
    fn each_statement_has_its_own_values() {
        let source = "INSERT INTO a VALUES ($2, $1, $2); SELECT $1 ;";
        let postgres = told(source, json!([1, "x"]), Dialect::Postgres).unwrap();
        assert_eq!(
            postgres,
            [("INSERT INTO a VALUES ($1, $2, $1)".to_owned(), json!(["x", 1])), (" SELECT $1 ".to_owned(), json!([1])),]
        );
        let mysql = told(source, json!([1, "x"]), Dialect::MySql).unwrap();
        assert_eq!(mysql[0], ("INSERT INTO a VALUES (?, ?, ?)".to_owned(), json!(["x", 1, "x"])));
    }

    #[test]
    fn names_and_lists_are_written_as_what_they_are() {
        let query = "SELECT $1:name FROM $2:name WHERE a IN ($3:csv)";
        let told = told(query, json!([["a", "b"], "t\"; DROP", [1, 2]]), Dialect::Postgres).unwrap();
        assert_eq!(told, [("SELECT \"a\", \"b\" FROM \"t\"\"; DROP\" WHERE a IN ($1, $2)".to_owned(), json!([1, 2]))]);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        for (source, values, message) in [
            ("SELECT $2", json!([1]), "a parameter $2, and 1 values"),
            ("SELECT $1:raw", json!([1]), ":raw is not known"),
            ("SELECT $1:name", json!([1]), "neither a text"),
            (" ; ", json!([]), "empty"),
        ] {
            let refused = told(source, values, Dialect::Postgres).unwrap_err();
            assert!(refused.contains(message), "{refused}");
        }
    }
}
