//! What a request asks for: read strictly, from a body, a query string or a WebSocket message.

use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType};
use async_graphql::{Request, Variables};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use crate::documents::{Named, Unacceptable, hash_of, operation_type};

/// The parameters of a GraphQL request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    /// The document. It may be named in another way, but it is never null.
    #[serde(default, deserialize_with = "present")]
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default)]
    extensions: Option<Extensions>,
    /// The name of a document that the server was given.
    #[serde(default)]
    document_id: Option<String>,
}

/// The extensions that are known here. Others may be sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    #[serde(default)]
    persisted_query: Option<PersistedQuery>,
    /// Name of an operation on a connection that many share.
    #[serde(default)]
    operation_id: Option<String>,
}

/// The version of automatic persisted queries that is spoken.
const PERSISTED_QUERY_VERSION: u32 = 1;

/// A document by its hash.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery {
    version: u32,
    sha256_hash: String,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// The same as a query string writes them: variables and extensions are JSON text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryString {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
    document_id: Option<String>,
}

impl QueryString {
    /// Whether anything is asked at all.
    pub(super) fn is_empty(&self) -> bool {
        self.query.is_none() && self.extensions.is_none() && self.document_id.is_none()
    }
}

impl TryFrom<QueryString> for Parameters {
    type Error = String;

    fn try_from(text: QueryString) -> Result<Self, String> {
        fn object<T: serde::de::DeserializeOwned>(name: &str, text: Option<String>) -> Result<Option<T>, String> {
            match text.filter(|text| !text.is_empty()) {
                None => Ok(None),
                Some(text) => serde_json::from_str::<Option<T>>(&text)
                    .map_err(|error| format!("{name} is not a JSON object: {error}")),
            }
        }
        let parameters = Self {
            query: text.query,
            operation_name: text.operation_name,
            variables: object("variables", text.variables)?,
            extensions: object("extensions", text.extensions)?,
            document_id: text.document_id,
        };
        parameters.check().map(|()| parameters)
    }
}

/// A request whose document was parsed and measured.
#[derive(Debug)]
pub(super) struct Parsed {
    text: Arc<str>,
    document: Arc<ExecutableDocument>,
    parameters: Parameters,
}

impl Parameters {
    /// Reads the parameters from JSON.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        read.check().map(|()| read)
    }

    /// Whether a document is named at all, and in a way that is known here.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(persisted) = self.persisted_query()
            && persisted.version != PERSISTED_QUERY_VERSION
        {
            return Err(format!(
                "persistedQuery has version {}: version {PERSISTED_QUERY_VERSION} is spoken here",
                persisted.version
            ));
        }
        if self.query.is_none() && self.document_id.is_none() && self.persisted_query().is_none() {
            return Err("the parameter query is missing".to_owned());
        }
        Ok(())
    }

    fn persisted_query(&self) -> Option<&PersistedQuery> {
        self.extensions.as_ref()?.persisted_query.as_ref()
    }

    /// The name of the operation, on a connection that many share.
    pub(super) fn operation_id(&self) -> Option<&str> {
        self.extensions.as_ref()?.operation_id.as_deref()
    }

    /// Finds, parses and measures the document.
    pub(super) fn parse(self, api: &Api) -> Result<Parsed, Unacceptable> {
        let named = Named {
            text: self.query.as_deref(),
            id: self.document_id.as_deref(),
            hash: self.persisted_query().map(|persisted| persisted.sha256_hash.as_str()),
        };
        let (text, document) = api.documents.find(named)?;
        Ok(Parsed { text, document, parameters: self })
    }
}

impl Parsed {
    /// What kind of operation is asked for.
    pub(super) fn operation_type(&self) -> OperationType {
        operation_type(&self.document, self.parameters.operation_name.as_deref())
    }

    /// The name of the operation that is asked for, if it has one.
    pub(super) fn operation_name(&self) -> Option<&str> {
        self.parameters.operation_name.as_deref().or_else(|| match &self.document.operations {
            DocumentOperations::Single(_) => None,
            DocumentOperations::Multiple(all) => all.keys().next().filter(|_| all.len() == 1).map(|name| name.as_str()),
        })
    }

    /// What tells this request from another one.
    pub(super) fn fingerprint(&self) -> String {
        let asked = json!([&*self.text, self.parameters.operation_name, self.parameters.variables]);
        hash_of(&asked.to_string())
    }

    /// The same for the executor.
    pub(super) fn into_request(self) -> Request {
        let mut request = Request::new(&*self.text);
        request.operation_name = self.parameters.operation_name;
        request.variables =
            self.parameters.variables.map(|all| Variables::from_json(Value::Object(all))).unwrap_or_default();
        request.set_parsed_query(ExecutableDocument::clone(&self.document));
        request
    }
}
