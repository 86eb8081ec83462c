//! What a request costs: worked out before it runs, refused when it is too much, and told in `extensions.cost`.
//!
//! A field is a point, a page its entries times what each asks for; fields that read the log cost some more. What was
//! really answered is counted in fields.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, NextValidation, ResolveInfo,
};
use async_graphql::{QueryPathSegment, Response, ServerError, ServerResult, ValidationResult, Value, value};

use crate::limits::seconds;
use crate::state::ApiState;

/// Makes the count of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Most points that a request may cost.
    pub max: usize,
}

/// The count of one request.
#[derive(Debug)]
struct Count {
    max: usize,
    requested: AtomicUsize,
    answered: AtomicUsize,
}

impl ExtensionFactory for Cost {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Count { max: self.max, requested: AtomicUsize::new(0), answered: AtomicUsize::new(0) })
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Count {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(context).await?;
        if result.complexity > self.max {
            return Err(vec![too_expensive(result.complexity, self.max)]);
        }
        self.requested.store(result.complexity, Ordering::Relaxed);
        let state = context.data_opt::<ApiState>();
        if let Some((state, rates)) = state.and_then(|state| Some((state, state.rates()?))) {
            let taken = rates.points(state.principal(), result.complexity);
            taken.map_err(|wait| vec![too_much(seconds(wait))])?;
        }
        Ok(result)
    }

    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let response = next.run(context, operation_name).await;
        // Of a subscription, every event is an answer of its own.
        let actual = self.answered.swap(0, Ordering::Relaxed);
        let requested = self.requested.load(Ordering::Relaxed);
        response.extension("cost", value!({ "requested": requested, "actual": actual, "max": self.max }))
    }

    async fn resolve(
        &self,
        context: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // An entry of a list is no field of its own.
        if matches!(info.path_node.segment, QueryPathSegment::Name(_)) {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        next.run(context, info).await
    }
}

fn too_much(seconds: u64) -> ServerError {
    let message = format!("you ask for too much at a time: try again in {seconds} s");
    let mut error = ServerError::new(message, None);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", "RATE_LIMITED");
    extensions.set("retryAfterSeconds", seconds);
    error
}

fn too_expensive(cost: usize, max: usize) -> ServerError {
    let message = format!("the request costs {cost} points, at most {max} are allowed: ask for shorter pages");
    let mut error = ServerError::new(message, None);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", "REQUEST_TOO_EXPENSIVE");
    extensions.set("limit", "cost");
    extensions.set("max", max);
    extensions.set("cost", cost);
    error
}
