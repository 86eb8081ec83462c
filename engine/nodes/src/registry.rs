//! All built-in node types. One line for each, in alphabetical order.

use std::sync::Arc;

use timeloom_engine::node::{NodeRegistry, SharedNodeType};

use crate::{
    code, crypto, date_time, debug_helper, filter, http_request, if_node, merge, move_binary_data, no_op, set,
    split_in_batches, sticky_note, stop_and_error, switch, transform, xml,
};

/// A registry of all built-in node types.
pub fn all() -> NodeRegistry {
    let types: Vec<SharedNodeType> = vec![
        Arc::new(code::Code),
        Arc::new(code::Function),
        Arc::new(code::FunctionItem),
        Arc::new(crypto::Crypto),
        Arc::new(date_time::DateAndTime),
        Arc::new(debug_helper::DebugHelper),
        Arc::new(filter::Filter),
        Arc::new(http_request::HttpRequest::default()),
        Arc::new(if_node::If),
        Arc::new(merge::Merge),
        Arc::new(move_binary_data::MoveBinaryData),
        Arc::new(no_op::ErrorTrigger),
        Arc::new(no_op::ExecuteWorkflowTrigger),
        Arc::new(no_op::ManualTrigger),
        Arc::new(no_op::NoOp),
        Arc::new(set::Set),
        Arc::new(split_in_batches::SplitInBatches),
        Arc::new(sticky_note::StickyNote),
        Arc::new(stop_and_error::StopAndError),
        Arc::new(switch::Switch),
        Arc::new(transform::Aggregate),
        Arc::new(transform::CompareDatasets),
        Arc::new(transform::ItemLists),
        Arc::new(transform::Limit),
        Arc::new(transform::RemoveDuplicates),
        Arc::new(transform::RenameKeys),
        Arc::new(transform::Sort),
        Arc::new(transform::SplitOut),
        Arc::new(transform::Summarize),
        Arc::new(xml::Xml),
    ];
    NodeRegistry::new(types)
}
