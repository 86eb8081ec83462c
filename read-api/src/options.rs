//! How GraphQL is served: the limits of a request, each with its name and unit, and what a deployment chooses.

use std::time::Duration;

use crate::documents::TrustedDocuments;

/// The limits of one GraphQL request. What goes over one is refused, with the limit's name and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Largest body, in bytes.
    pub body_bytes: usize,
    /// Longest document, in bytes. Data belongs into variables.
    pub document_bytes: usize,
    /// Most words and signs of a document.
    pub tokens: usize,
    /// Deepest nesting of fields; the usual introspection has 15.
    pub depth: usize,
    /// Most fields of a document, with its fragments written out.
    pub fields: usize,
    /// Most fields of one operation's root: that many commands one request may send.
    pub root_fields: usize,
    /// Most fields that get another name in the answer.
    pub aliases: usize,
    /// Most directives on one field.
    pub directives: usize,
    /// Most points that a request may cost; a field is one, a page costs its entries times what each asks for.
    pub cost: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 20 << 20,
            document_bytes: 1 << 20,
            tokens: 15_000,
            depth: 20,
            fields: 2_000,
            root_fields: 50,
            aliases: 100,
            directives: 10,
            cost: 20_000,
        }
    }
}

/// The status of an answer that has data and errors, where the client takes `application/graphql-response+json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartialSuccess {
    /// 200, which every client knows.
    #[default]
    Ok,
    /// 294 Partial Success, which the newest drafts of the standard recommend.
    PartialSuccess,
}

/// Persisted documents that are kept when nothing else is said.
const PERSISTED_DOCUMENTS: usize = 1_000;

/// How long one message may take to leave a WebSocket where nothing else is said.
const SOCKET_SEND_WAIT: Duration = Duration::from_secs(10);

/// What a deployment chooses about GraphQL.
#[derive(Debug, Clone)]
pub struct GraphqlOptions {
    /// What one request may ask for.
    pub limits: RequestLimits,
    /// The status of answers with data and errors.
    pub partial_success: PartialSuccess,
    /// The only documents that are run; `None` runs every one.
    pub trusted: Option<TrustedDocuments>,
    /// Documents that clients may leave here by automatic persisted queries; the oldest make room.
    pub persisted_documents: usize,
    /// How long one message may take to leave a WebSocket. A client that takes none for as long is told where to go on.
    pub socket_send_wait: Duration,
}

impl Default for GraphqlOptions {
    fn default() -> Self {
        Self {
            limits: RequestLimits::default(),
            partial_success: PartialSuccess::default(),
            trusted: None,
            persisted_documents: PERSISTED_DOCUMENTS,
            socket_send_wait: SOCKET_SEND_WAIT,
        }
    }
}
