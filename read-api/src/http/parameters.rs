//! What a request asks for: read strictly, from a body, a query string or a WebSocket message.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Request, Variables};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Api;
use crate::documents::{Unacceptable, operation_type};

/// The parameters of a GraphQL request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    /// Read so that a wrong shape is noticed; no extension is known here.
    #[serde(default, rename = "extensions")]
    _extensions: Option<Map<String, Value>>,
}

/// The same as a query string writes them: variables and extensions are JSON text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryString {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl QueryString {
    /// Whether anything is asked at all.
    pub(super) fn is_empty(&self) -> bool {
        self.query.is_none()
    }
}

impl TryFrom<QueryString> for Parameters {
    type Error = String;

    fn try_from(text: QueryString) -> Result<Self, String> {
        let object = |name: &str, text: Option<String>| match text.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => serde_json::from_str::<Option<Map<String, Value>>>(&text)
                .map_err(|error| format!("{name} is not a JSON object: {error}")),
        };
        Ok(Self {
            query: text.query.ok_or("the parameter query is missing")?,
            operation_name: text.operation_name,
            variables: object("variables", text.variables)?,
            _extensions: object("extensions", text.extensions)?,
        })
    }
}

/// A request whose document was parsed and measured.
#[derive(Debug)]
pub(super) struct Parsed {
    document: Arc<ExecutableDocument>,
    parameters: Parameters,
}

impl Parameters {
    /// Parses and measures the document.
    pub(super) fn parse(self, api: &Api) -> Result<Parsed, Unacceptable> {
        let document = api.documents.get(&self.query)?;
        Ok(Parsed { document, parameters: self })
    }
}

impl Parsed {
    /// What kind of operation is asked for.
    pub(super) fn operation_type(&self) -> OperationType {
        operation_type(&self.document, self.parameters.operation_name.as_deref())
    }

    /// The same for the executor.
    pub(super) fn into_request(self) -> Request {
        let mut request = Request::new(self.parameters.query);
        request.operation_name = self.parameters.operation_name;
        request.variables =
            self.parameters.variables.map(|all| Variables::from_json(Value::Object(all))).unwrap_or_default();
        request.set_parsed_query(ExecutableDocument::clone(&self.document));
        request
    }
}
