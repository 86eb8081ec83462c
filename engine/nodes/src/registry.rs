//! All built-in node types. One line for each, in alphabetical order.

use std::sync::Arc;

use timeloom_engine::node::{NodeRegistry, SharedNodeType};

use crate::{
    agent, chat_trigger, code, compression, crypto, data_table, date_time, debug_helper, edit_image, execute_workflow,
    execution_data, files, filter, form, graphql, html, http_request, if_node, jwt, language, markdown, merge, models,
    move_binary_data, no_op, respond_to_webhook, rss_feed_read, schedule, set, split_in_batches, sticky_note,
    stop_and_error, switch, totp, transform, wait, webhook, xml,
};

/// A registry of all built-in node types.
pub fn all() -> NodeRegistry {
    let types: Vec<SharedNodeType> = vec![
        Arc::new(agent::RunAgent),
        Arc::new(chat_trigger::ChatTrigger),
        Arc::new(code::Code),
        Arc::new(code::Function),
        Arc::new(code::FunctionItem),
        Arc::new(compression::Compression),
        Arc::new(crypto::Crypto),
        Arc::new(data_table::DataTableNode),
        Arc::new(date_time::DateAndTime),
        Arc::new(debug_helper::DebugHelper),
        Arc::new(edit_image::EditImage),
        Arc::new(execute_workflow::ExecuteWorkflow),
        Arc::new(execute_workflow::ExecuteWorkflowTrigger),
        Arc::new(execution_data::ExecutionData),
        Arc::new(files::ConvertToFile),
        Arc::new(files::ExtractFromFile),
        Arc::new(files::SpreadsheetFile),
        Arc::new(filter::Filter),
        Arc::new(form::Form),
        Arc::new(form::FormTrigger),
        Arc::new(graphql::GraphQl::default()),
        Arc::new(html::Html),
        Arc::new(html::HtmlExtract),
        Arc::new(http_request::HttpRequest::default()),
        Arc::new(if_node::If),
        Arc::new(jwt::Jwt),
        Arc::new(markdown::Markdown),
        Arc::new(merge::Merge),
        Arc::new(move_binary_data::MoveBinaryData),
        Arc::new(no_op::ErrorTrigger),
        Arc::new(no_op::ManualTrigger),
        Arc::new(no_op::NoOp),
        Arc::new(no_op::Start),
        Arc::new(respond_to_webhook::RespondToWebhook),
        Arc::new(rss_feed_read::RssFeedRead::default()),
        Arc::new(rss_feed_read::RssFeedReadTrigger::default()),
        Arc::new(schedule::Cron),
        Arc::new(schedule::Interval),
        Arc::new(schedule::ScheduleTrigger),
        Arc::new(set::Set),
        Arc::new(split_in_batches::SplitInBatches),
        Arc::new(sticky_note::StickyNote),
        Arc::new(stop_and_error::StopAndError),
        Arc::new(switch::Switch),
        Arc::new(totp::Totp),
        Arc::new(transform::Aggregate),
        Arc::new(transform::CompareDatasets),
        Arc::new(transform::ItemLists),
        Arc::new(transform::Limit),
        Arc::new(transform::RemoveDuplicates),
        Arc::new(transform::RenameKeys),
        Arc::new(transform::Sort),
        Arc::new(transform::SplitOut),
        Arc::new(transform::Summarize),
        Arc::new(wait::Wait),
        Arc::new(webhook::Webhook),
        Arc::new(xml::Xml),
    ];
    NodeRegistry::new(types.into_iter().chain(asking_models()))
}

/// Those that ask models, and those that serve them.
fn asking_models() -> Vec<SharedNodeType> {
    let mut types: Vec<SharedNodeType> = vec![
        Arc::new(language::AiAgent),
        Arc::new(language::ChainLlm),
        Arc::new(language::ChainSummarization),
        Arc::new(language::Embeddings),
        Arc::new(language::Entities),
        Arc::new(language::InformationExtractor),
        Arc::new(language::SentimentAnalysis),
        Arc::new(language::SimpleVectorStore),
        Arc::new(language::TextClassifier),
        Arc::new(language::VectorStore),
        Arc::new(models::FileType),
        Arc::new(models::ImageClassification),
        Arc::new(models::Model),
        Arc::new(models::ObjectDetection),
        Arc::new(models::Ocr),
        Arc::new(models::TabularPrediction),
    ];
    types.extend(language::helpers().into_iter().map(|helper| Arc::new(helper) as SharedNodeType));
    types
}

#[cfg(test)]
mod tests {
    use timeloom_domain::catalogue::{NodeDefinition, NodeRole};
    use timeloom_engine::node::Behaviour;

    use super::*;

    #[test]
    fn every_definition_describes_its_node_fully() {
        let registry = all();
        let catalogue = registry.catalogue();
        assert!(catalogue.iter().count() >= 25);
        for definition in catalogue.iter() {
            let name = definition.node_type;
            let known = ["n8n-nodes-base.", "@n8n/n8n-nodes-langchain.", "timeloom."];
            assert!(known.iter().any(|prefix| name.starts_with(prefix)), "{name}");
            assert!(definition.description.ends_with('.'), "{name} lacks a sentence about itself");
            assert!(!definition.versions.is_empty(), "{name} has no version");
            assert!(definition.versions.is_sorted_by(|left, right| left < right), "{name}: versions ascend");
        }
    }

    #[test]
    fn the_page_of_nodes_tells_every_type_and_version() {
        let page = include_str!("../../../docs/nodes.md");
        let registry = all();
        let catalogue = registry.catalogue();
        let row = |definition: &NodeDefinition| {
            let versions = definition.versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("| `{}` | {versions} | {} |", definition.node_type, definition.description)
        };
        let rows: Vec<String> = catalogue.iter().map(row).collect();
        let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(row.as_str())).collect();
        assert!(missing.is_empty(), "docs/nodes.md lacks these rows, or tells them otherwise: {missing:#?}");
    }

    #[test]
    fn the_role_fits_the_behaviour() {
        let registry = all();
        for definition in registry.catalogue().iter() {
            let node_type = registry.get(definition.node_type).unwrap();
            let fits = match node_type.behaviour() {
                Behaviour::Effect(_) | Behaviour::Wait(_) => definition.role == NodeRole::Effect,
                Behaviour::Pure(_) => {
                    matches!(definition.role, NodeRole::Pure | NodeRole::Trigger | NodeRole::Helper)
                }
                Behaviour::PassThrough => definition.role != NodeRole::Effect,
            };
            assert!(fits, "{} is {:?}", definition.node_type, definition.role);
        }
    }
}
