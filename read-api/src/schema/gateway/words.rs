//! Words about the gateway.

use async_graphql::Enum;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::gateway::{ContentRecording, HolderKind, ProviderProtocol, RouteBalance};
use timeloom_domain::model_call::CallKind;

/// What a provider of language models speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ProviderProtocol")]
pub(crate) enum GatewayProtocol {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Ollama's.
    Ollama,
    /// Ollama's, for models that know no chats and go on with a text.
    OllamaText,
    /// None: models of the model manager, computed by the server itself.
    Local,
}

/// How one of several targets is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RouteBalance")]
pub(crate) enum GatewayBalance {
    /// The less busy and quicker one of two that are drawn by weight.
    Load,
    /// By the key of the call, in the proportion of the weights.
    Split,
}

/// Whether what is asked and answered by a route is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ContentRecording")]
pub(crate) enum GatewayContent {
    /// It is, but for what is a secret of a credential.
    Recorded,
    /// Only its digest is.
    Digests,
}

/// Which answers of a route are kept, to be given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum GatewayCacheUse {
    /// None.
    Never,
    /// Those that the request decides: at temperature 0, and vectors.
    Deterministic,
    /// All.
    Always,
}

/// For whom a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "HolderKind")]
pub(crate) enum GatewayHolder {
    /// A key of the API, by its id.
    Key,
    /// The tenant.
    Tenant,
    /// A workflow, by its id.
    Workflow,
    /// An agent, by its name.
    Agent,
}

/// Of what a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum GatewayLimitOf {
    /// Requests in any 60 seconds.
    RequestsPerMinute,
    /// Tokens in any 60 seconds, read and written.
    TokensPerMinute,
    /// Calls at once, in each process that asks.
    CallsAtOnce,
    /// Money in each window.
    Money,
}

/// What kind of answer was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "CallKind")]
pub(crate) enum ModelCallKind {
    /// One to a chat.
    Chat,
    /// Vectors of texts.
    Embed,
}

/// How a call to a language model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_projections::ModelCallStatus")]
pub(crate) enum ModelCallStatus {
    /// It was answered.
    Completed,
    /// It could not be answered.
    Failed,
    /// Nobody was asked.
    Refused,
    /// Nobody waited for its end.
    Cancelled,
}

/// By what calls to language models are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_projections::SpendBy")]
pub(crate) enum ModelSpendBy {
    /// The route.
    Route,
    /// The provider that was asked last.
    Provider,
    /// The model that was asked last.
    Model,
    /// The API key.
    Key,
    /// The workflow.
    Workflow,
    /// The agent.
    Agent,
    /// The day, UTC.
    Day,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ErrorClass")]
pub(crate) enum ModelCallProblem {
    /// Too many requests or tokens for the account.
    RateLimited,
    /// The provider has more to do than it can.
    Overloaded,
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The provider failed.
    Server,
    /// What came was no answer of the protocol.
    Garbage,
    /// The account may not, or the key is wrong.
    Unauthorized,
    /// The account has no money left at the provider.
    OutOfCredit,
    /// There is no such model, or no such address.
    NotFound,
    /// The provider holds such content back.
    ContentFiltered,
    /// More tokens than the model can read.
    TooLong,
    /// The request is wrong.
    BadRequest,
    /// This provider cannot do what is asked.
    Unsupported,
}
