//! The GraphQL schema: what can be read, changed and followed. Resolvers compute nothing that is not in the log.

mod budget;
mod catalogue;
mod control;
mod credentials;
mod event;
mod execution;
mod execution_facts;
mod faults;
mod history;
mod mutation;
mod node_run;
mod paging;
mod payloads;
mod projections;
mod query;
mod reading;
mod redrive;
mod registry;
mod rows;
mod scalars;
mod start;
mod state_at;
mod subscription;
mod time;
mod worker;
mod workflow;

use std::sync::Arc;

use async_graphql::{MergedObject, Request, SDLExportOptions, Schema};
use timeloom_store::Position;

pub(crate) use self::budget::PayloadBudget;
use self::mutation::Mutation;
use self::query::Query;
pub(crate) use self::subscription::Progress;
use self::subscription::Subscription;
use self::time::{TimeMutation, TimeQuery};
use crate::state::ApiState;

/// Deepest nesting of fields in a request; the usual introspection request has 15.
const DEPTH_MAX: usize = 20;
/// Most points that a request may cost; a field is one, a page costs its entries times what each asks for.
const COMPLEXITY_MAX: usize = 20_000;
/// Most directives on one field.
const DIRECTIVES_MAX: usize = 10;

/// The root of all reads, of whatever file.
#[derive(Debug, MergedObject)]
#[graphql(name = "Query")]
pub struct QueryRoot(Query, TimeQuery);

/// The root of all changes, of whatever file.
#[derive(Debug, MergedObject)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(Mutation, TimeMutation);

/// The schema of this API.
pub type ApiSchema = Schema<QueryRoot, MutationRoot, Subscription>;

/// The schema over `state`.
pub fn schema(state: ApiState) -> ApiSchema {
    Schema::build(QueryRoot(Query, TimeQuery), MutationRoot(Mutation, TimeMutation), Subscription)
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .data(state)
        .finish()
}

/// The schema as text, in GraphQL's schema language.
pub fn sdl_text() -> String {
    let schema =
        Schema::build(QueryRoot(Query, TimeQuery), MutationRoot(Mutation, TimeMutation), Subscription).finish();
    schema.sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_enum_items())
}

/// `request` with what every request carries; `resume_after` for a client that goes on after a position.
pub(crate) fn prepared(request: Request, resume_after: Option<Position>) -> (Request, Arc<Progress>) {
    let progress = Progress::resuming_after(resume_after);
    (request.data(PayloadBudget::default()).data(Arc::clone(&progress)), progress)
}
