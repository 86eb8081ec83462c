//! The GraphQL schema: what can be read, changed and followed. Resolvers compute nothing that is not in the log.

mod access;
mod agents;
mod batch;
mod budget;
mod catalogue;
mod control;
mod cost;
mod credentials;
mod event;
mod execution;
mod execution_facts;
mod faults;
mod folders;
mod gateway;
mod group;
mod history;
mod inference;
mod models;
mod mutation;
mod node;
mod node_run;
mod paging;
mod payloads;
mod permitted;
mod projections;
mod query;
mod reading;
mod redrive;
mod registry;
mod rows;
mod scalars;
mod search;
mod service_nodes;
mod start;
mod state_at;
mod subscription;
mod time;
mod worker;
mod workflow;

use std::sync::Arc;

use async_graphql::{MergedObject, Request, SDLExportOptions, Schema};
use timeloom_store::Position;

use self::access::{AccessMutation, AccessQuery, WrittenDown};
use self::agents::{AgentMutation, AgentQuery};
use self::batch::Loads;
pub(crate) use self::budget::PayloadBudget;
use self::cost::Cost;
use self::folders::{FolderMutation, FolderQuery};
use self::gateway::{GatewayMutation, GatewayQuery};
use self::inference::InferenceQuery;
use self::models::ModelMutation;
use self::mutation::Mutation;
use self::permitted::Permitted;
use self::query::Query;
pub(crate) use self::subscription::Progress;
use self::subscription::Subscription;
use self::time::{TimeMutation, TimeQuery};
use crate::state::ApiState;

/// The root of all reads, of whatever file.
#[derive(Debug, MergedObject)]
#[graphql(name = "Query")]
pub struct QueryRoot(Query, FolderQuery, TimeQuery, AccessQuery, InferenceQuery, GatewayQuery, AgentQuery);

/// The root of all changes, of whatever file.
#[derive(Debug, MergedObject)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(
    Mutation,
    FolderMutation,
    ModelMutation,
    TimeMutation,
    AccessMutation,
    GatewayMutation,
    AgentMutation,
);

/// The schema of this API.
pub type ApiSchema = Schema<QueryRoot, MutationRoot, Subscription>;

fn roots() -> (QueryRoot, MutationRoot) {
    (
        QueryRoot(Query, FolderQuery, TimeQuery, AccessQuery, InferenceQuery, GatewayQuery, AgentQuery),
        MutationRoot(
            Mutation,
            FolderMutation,
            ModelMutation,
            TimeMutation,
            AccessMutation,
            GatewayMutation,
            AgentMutation,
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
    let request = request.data(PayloadBudget::default()).data(Arc::<Loads>::default()).data(Arc::clone(&progress));
    (request.data(state).data(Arc::<WrittenDown>::default()), progress)
}
