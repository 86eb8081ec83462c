//! Triggers that listen to what is no broker: files of this machine, and notifications of PostgreSQL.

mod local_file;
mod postgres;

use std::sync::Arc;

use timeloom_engine::node::SharedNodeType;

use crate::Settings;

/// The node types of this group.
pub(crate) fn node_types(settings: &Settings) -> Vec<SharedNodeType> {
    vec![Arc::new(local_file::LocalFileTrigger::new(settings.files_root.clone())), Arc::new(postgres::PostgresTrigger)]
}
