//! The settings of GraphQL: what one request may ask for, and which documents are run.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use timeloom_read_api::{GraphqlOptions, PartialSuccess, RequestLimits, TrustedDocuments};

/// Settings of GraphQL. What goes over a limit is refused with the limit's name and its value.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "GraphQL")]
pub struct GraphqlConfig {
    /// Largest body of a request, in MiB.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_BODY_MAX_MIB",
        value_name = "MIB",
        default_value_t = 20
    )]
    pub graphql_body_max_mib: usize,
    /// Longest document, in KiB. Data belongs into variables.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_DOCUMENT_MAX_KIB",
        value_name = "KIB",
        default_value_t = 1_024
    )]
    pub graphql_document_max_kib: usize,
    /// Most words and signs of a document.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_TOKENS_MAX",
        value_name = "NUMBER",
        default_value_t = 15_000
    )]
    pub graphql_tokens_max: usize,
    /// Most fields that lie in each other.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_DEPTH_MAX",
        value_name = "NUMBER",
        default_value_t = 20
    )]
    pub graphql_depth_max: usize,
    /// Most fields of a document, with its fragments written out.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_FIELDS_MAX",
        value_name = "NUMBER",
        default_value_t = 2_000
    )]
    pub graphql_fields_max: usize,
    /// Most fields at the root of an operation.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_ROOT_FIELDS_MAX",
        value_name = "NUMBER",
        default_value_t = 50
    )]
    pub graphql_root_fields_max: usize,
    /// Most fields that get another name in the answer.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_ALIASES_MAX",
        value_name = "NUMBER",
        default_value_t = 100
    )]
    pub graphql_aliases_max: usize,
    /// Most points that a request may cost: a field is one, a page costs its entries times what each asks for.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_COST_MAX",
        value_name = "POINTS",
        default_value_t = 20_000
    )]
    pub graphql_cost_max: usize,
    /// Status of answers with data and errors, for clients that take application/graphql-response+json.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_PARTIAL_SUCCESS",
        value_name = "STATUS",
        default_value = "200"
    )]
    pub graphql_partial_success: PartialSuccessStatus,
    /// A file with the only documents that are run: a JSON object of names and documents, or a persisted query manifest.
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        env = "TIMELOOM_GRAPHQL_TRUSTED_DOCUMENTS",
        value_name = "FILE"
    )]
    pub graphql_trusted_documents: Option<PathBuf>,
}

/// The status of answers that have data and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartialSuccessStatus {
    /// Which every client knows.
    #[value(name = "200")]
    Ok,
    /// Which the newest drafts of the standard recommend.
    #[value(name = "294")]
    PartialSuccess,
}

impl GraphqlConfig {
    /// The same, as the API takes it.
    ///
    /// # Errors
    /// When the file of trusted documents cannot be read.
    pub fn options(&self) -> anyhow::Result<GraphqlOptions> {
        let limits = RequestLimits {
            body_bytes: self.graphql_body_max_mib.saturating_mul(1 << 20),
            document_bytes: self.graphql_document_max_kib.saturating_mul(1 << 10),
            tokens: self.graphql_tokens_max,
            depth: self.graphql_depth_max,
            fields: self.graphql_fields_max,
            root_fields: self.graphql_root_fields_max,
            aliases: self.graphql_aliases_max,
            cost: self.graphql_cost_max,
            ..RequestLimits::default()
        };
        let partial_success = match self.graphql_partial_success {
            PartialSuccessStatus::Ok => PartialSuccess::Ok,
            PartialSuccessStatus::PartialSuccess => PartialSuccess::PartialSuccess,
        };
        Ok(GraphqlOptions { limits, partial_success, trusted: self.trusted_documents()?, ..GraphqlOptions::default() })
    }

    fn trusted_documents(&self) -> anyhow::Result<Option<TrustedDocuments>> {
        let Some(path) = &self.graphql_trusted_documents else { return Ok(None) };
        let place = || format!("the trusted documents in {} cannot be used", path.display());
        let text = std::fs::read_to_string(path).with_context(place)?;
        TrustedDocuments::from_json(&text).map(Some).with_context(place)
    }
}
