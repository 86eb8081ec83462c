//! The GraphQL API: schema, HTTP, WebSocket and SSE transports, health, and the GraphiQL page.
//!
//! Reads come from projections and the log's read port, writes go through `commands`. Nothing here runs a workflow:
//! what cannot be learned from a projection or the log is not answered. Every read can be taken as of an earlier
//! position, every write answers the position from which it can be read.

mod bind;
mod documents;
mod http;
mod limits;
mod options;
mod rates;
mod schema;
mod sign_in;
mod state;

pub use bind::{BindError, check_bind};
pub use documents::{TrustedDocuments, TrustedDocumentsError};
pub use http::{
    Api, Beside, Served, ServerOptions, WebhookOptions, configure, configure_health, server, server_beside, told,
};
pub use limits::{Left, Limiter};
pub use options::{GraphqlOptions, PartialSuccess, RequestLimits};
pub use schema::{ApiSchema, CREDENTIAL_CALLBACK, LocalApi, schema, sdl_text};
pub use sign_in::{OidcOptions, RateLimits, SignIn, SignInOptions};
pub use state::{
    ApiState, InferenceCases, LimitCounts, LimitTaken, NotCounted, NotMade, Proofs, PublicKeys, ServerFacts, StoredLog,
    Wiring,
};
