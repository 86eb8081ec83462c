//! The GraphQL schema: what can be read, changed and followed. Resolvers compute nothing that is not in the log.

mod access;
mod agents;
mod archive;
mod backup;
mod batch;
mod budget;
mod catalogue;
mod control;
mod cost;
mod credentials;
mod data_tables;
mod drafts;
mod drift;
mod erasure;
mod evaluations;
mod event;
mod execution;
mod execution_facts;
mod execution_order;
mod execution_search;
mod faults;
mod feature_flags;
mod folders;
mod gateway;
mod group;
mod history;
mod inference;
mod integers;
mod models;
mod mutation;
mod node;
mod node_run;
mod paging;
mod payloads;
mod permitted;
mod projections;
mod proofs;
mod query;
mod reading;
mod redrive;
mod registry;
mod retention;
mod rollouts;
mod rows;
mod scalars;
mod search;
mod server_info;
mod service_nodes;
mod start;
mod state_at;
mod subscription;
mod templates;
mod test_cases;
mod time;
mod triggers;
mod versions;
mod worker;
mod workflow;

use std::sync::Arc;

use async_graphql::{MergedObject, Request, Response, SDLExportOptions, Schema};
use futures::future::BoxFuture;
use timeloom_store::Position;

use self::access::{AccessMutation, AccessQuery, WrittenDown};
use self::agents::{AgentMutation, AgentQuery};
use self::backup::{BackupMutation, BackupQuery};
use self::batch::Loads;
pub(crate) use self::budget::PayloadBudget;
use self::cost::Cost;
pub use self::credentials::CREDENTIAL_CALLBACK;
use self::data_tables::{DataTableMutation, DataTableQuery};
use self::drafts::DraftQuery;
use self::drift::{DriftMutation, DriftQuery};
use self::erasure::{ErasureMutation, ErasureQuery};
use self::evaluations::{EvaluationMutation, EvaluationQuery, EvaluationSetMutation, EvaluationSetQuery};
use self::feature_flags::{FeatureFlagMutation, FeatureFlagQuery};
use self::folders::{FolderMutation, FolderQuery};
use self::gateway::{GatewayMutation, GatewayQuery};
use self::inference::InferenceQuery;
use self::integers::{Chosen, Integers};
use self::models::ModelMutation;
use self::mutation::Mutation;
use self::permitted::Permitted;
use self::proofs::ProofsQuery;
use self::query::Query;
use self::retention::{RetentionMutation, RetentionQuery};
use self::rollouts::RolloutMutation;
use self::server_info::ServerQuery;
pub(crate) use self::subscription::Progress;
use self::subscription::Subscription;
use self::templates::TemplateQuery;
use self::test_cases::{TestCaseMutation, TestCaseQuery};
use self::time::{TimeMutation, TimeQuery};
use self::triggers::TriggerQuery;
use crate::state::ApiState;

/// The root of all reads, of whatever file.
#[derive(Debug, MergedObject)]
#[graphql(name = "Query")]
pub struct QueryRoot(
    Query,
    DraftQuery,
    FolderQuery,
    ServerQuery,
    TimeQuery,
    AccessQuery,
    InferenceQuery,
    GatewayQuery,
    AgentQuery,
    ErasureQuery,
    FeatureFlagQuery,
    DataTableQuery,
    RetentionQuery,
    ProofsQuery,
    BackupQuery,
    TriggerQuery,
    TemplateQuery,
    EvaluationQuery,
    DriftQuery,
    TestCaseQuery,
    EvaluationSetQuery,
);

/// The root of all changes, of whatever file.
#[derive(Debug, MergedObject)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(
    Mutation,
    FolderMutation,
    RolloutMutation,
    ModelMutation,
    TimeMutation,
    AccessMutation,
    GatewayMutation,
    AgentMutation,
    ErasureMutation,
    FeatureFlagMutation,
    DataTableMutation,
    RetentionMutation,
    BackupMutation,
    EvaluationMutation,
    DriftMutation,
    TestCaseMutation,
    EvaluationSetMutation,
);

/// The schema of this API.
pub type ApiSchema = Schema<QueryRoot, MutationRoot, Subscription>;

/// The API for the process that it is in. What answers is compiled with this crate: the schema is a lot of code, which whoever
/// executes it by itself compiles once more.
pub struct LocalApi(ApiSchema);

impl std::fmt::Debug for LocalApi {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalApi").finish_non_exhaustive()
    }
}

impl LocalApi {
    /// The API over `state`.
    pub fn new(state: ApiState) -> Self {
        Self(schema(state))
    }

    /// What a request is answered with.
    #[inline(never)]
    pub fn execute(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(self.0.execute(request))
    }

    /// What a request is answered with as whoever asks sees the API, within the bounds that requests from outside have. The ids
    /// of its commands follow from `key`, where there is one.
    #[inline(never)]
    pub fn execute_as(&self, request: Request, asking: ApiState, key: Option<String>) -> BoxFuture<'_, Response> {
        let asking = match key {
            Some(key) => asking.with_key(key),
            None => asking,
        };
        Box::pin(self.0.execute(prepared(request, asking, None).0))
    }
}

fn roots() -> (QueryRoot, MutationRoot) {
    (
        QueryRoot(
            Query,
            DraftQuery,
            FolderQuery,
            ServerQuery,
            TimeQuery,
            AccessQuery,
            InferenceQuery,
            GatewayQuery,
            AgentQuery,
            ErasureQuery,
            FeatureFlagQuery,
            DataTableQuery,
            RetentionQuery,
            ProofsQuery,
            BackupQuery,
            TriggerQuery,
            TemplateQuery,
            EvaluationQuery,
            DriftQuery,
            TestCaseQuery,
            EvaluationSetQuery,
        ),
        MutationRoot(
            Mutation,
            FolderMutation,
            RolloutMutation,
            ModelMutation,
            TimeMutation,
            AccessMutation,
            GatewayMutation,
            AgentMutation,
            ErasureMutation,
            FeatureFlagMutation,
            DataTableMutation,
            RetentionMutation,
            BackupMutation,
            EvaluationMutation,
            DriftMutation,
            TestCaseMutation,
            EvaluationSetMutation,
        ),
    )
}

/// The schema over `state`.
pub fn schema(state: ApiState) -> ApiSchema {
    let limits = state.graphql().limits;
    // The documents of transports were measured before they come here; this holds for those of this process, too.
    Schema::build(roots().0, roots().1, Subscription)
        .limit_depth(limits.depth)
        .limit_directives(limits.directives)
        .extension(Integers)
        .extension(Cost { max: limits.cost })
        .extension(Permitted)
        .data(state)
        .finish()
}

/// The schema as text, in GraphQL's schema language.
pub fn sdl_text() -> String {
    let schema = Schema::build(roots().0, roots().1, Subscription).finish();
    schema.sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_enum_items())
}

/// `request` with what every request carries, and the API as whoever sends it sees it; `resume_after` for a client that
/// goes on after a position.
pub(crate) fn prepared(request: Request, state: ApiState, resume_after: Option<Position>) -> (Request, Arc<Progress>) {
    let progress = Progress::resuming_after(resume_after);
    let chosen = Chosen(request.operation_name.clone());
    let request =
        request.data(chosen).data(PayloadBudget::default()).data(Arc::<Loads>::default()).data(Arc::clone(&progress));
    (request.data(state).data(Arc::<WrittenDown>::default()), progress)
}
