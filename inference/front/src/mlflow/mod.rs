//! The door at which the models that there are, their versions and aliases are read by the protocol of MLflow's registry;
//! aliases are set and removed, and versions promoted. What else would change models says what to do instead.

mod answer;
mod filter;
mod order;
mod parameters;
mod refusal;
mod registry;
mod routes;

pub use refusal::{Refusal, RefusalKind, error_body};
pub use registry::{Change, Purpose, Registered, Registry};
pub use routes::routes;

/// What the paths of the protocol begin with.
pub const PREFIX: &str = "/api/2.0/mlflow";
