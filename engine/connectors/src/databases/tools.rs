//! Databases as tools of agents.

use std::sync::Arc;

use timeloom_domain::catalogue::ParameterDefinition;
use timeloom_engine::node::SharedNodeType;
use timeloom_nodes::describe::joined;

use super::{mysql, postgres, redis};
use crate::tool::{TOLD, Tool};

const MYSQL: [ParameterDefinition; mysql::parameters::PARAMETERS.len() + 1] =
    joined([TOLD], mysql::parameters::PARAMETERS, []);
const POSTGRES: [ParameterDefinition; postgres::parameters::PARAMETERS.len() + 1] =
    joined([TOLD], postgres::parameters::PARAMETERS, []);
const REDIS: [ParameterDefinition; redis::parameters::PARAMETERS.len() + 1] =
    joined([TOLD], redis::parameters::PARAMETERS, []);

/// The node types.
pub(super) fn node_types() -> Vec<SharedNodeType> {
    vec![
        Arc::new(Tool {
            node: mysql::MySql::default(),
            node_type: "n8n-nodes-base.mySqlTool",
            display_name: "MySQL Tool",
            description: "Serves as a tool of an agent: does what MySQL does, filled in by $fromAI.",
            parameters: &MYSQL,
        }),
        Arc::new(Tool {
            node: postgres::Postgres::default(),
            node_type: "n8n-nodes-base.postgresTool",
            display_name: "Postgres Tool",
            description: "Serves as a tool of an agent: does what Postgres does, filled in by $fromAI.",
            parameters: &POSTGRES,
        }),
        Arc::new(Tool {
            node: redis::Redis::default(),
            node_type: "n8n-nodes-base.redisTool",
            display_name: "Redis Tool",
            description: "Serves as a tool of an agent: does what Redis does, filled in by $fromAI.",
            parameters: &REDIS,
        }),
    ]
}
