//! Databases.

mod batch;
mod described;
mod lexer;
mod mysql;
mod postgres;
mod query;
mod redis;
mod sql;
mod sqlite;
mod table;
mod tools;

use std::sync::Arc;

use timeloom_engine::node::SharedNodeType;

use crate::Settings;

/// The node types of databases.
pub(crate) fn node_types(settings: &Settings) -> Vec<SharedNodeType> {
    let nodes: Vec<SharedNodeType> = vec![
        Arc::new(mysql::MySql::default()),
        Arc::new(postgres::Postgres::default()),
        Arc::new(redis::Redis::default()),
        Arc::new(sqlite::Sqlite::new(settings)),
    ];
    nodes.into_iter().chain(tools::node_types()).collect()
}
