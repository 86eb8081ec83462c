//! S3: files in buckets of AWS, or of another service that speaks S3.

mod client;
mod operations;
mod parameters;
mod xml;

use std::time::Instant;

use async_trait::async_trait;
use chrono::DateTime;
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::aws_signature::Signer;
use timeloom_nodes::describe::{ONE_TO_ONE, palette};
use url::Url;

use self::client::Service;
use crate::fields::Fields;

/// Whose service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Aws,
    Others,
}

/// S3.
pub(crate) struct S3 {
    whose: Whose,
}

impl S3 {
    /// The service of AWS.
    pub const AWS: Self = Self { whose: Whose::Aws };
    /// Any other.
    pub const OTHERS: Self = Self { whose: Whose::Others };
}

impl NodeType for S3 {
    fn definition(&self) -> NodeDefinition {
        let (node_type, display_name, description, versions, credentials): (_, _, _, &[f64], &[CredentialDefinition]) =
            match self.whose {
                Whose::Aws => (
                    "n8n-nodes-base.awsS3",
                    "AWS S3",
                    "Reads, writes and lists files in buckets of AWS S3.",
                    &[1.0, 2.0],
                    parameters::AWS,
                ),
                Whose::Others => (
                    "n8n-nodes-base.s3",
                    "S3",
                    "Reads, writes and lists files in buckets of a service that speaks S3.",
                    &[1.0],
                    parameters::OTHERS,
                ),
            };
        NodeDefinition {
            node_type,
            display_name,
            description,
            versions,
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: parameters::PARAMETERS,
            palette: palette(
                NodeGroup::HttpAndFiles,
                "hard-drive",
                &["bucket", "object", "storage", "minio", "upload", "download"],
            ),
            credentials,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for S3 {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let service = self.service(run).await?;
        let mut given = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match operations::carry_out(run, &service, item, index).await {
                Ok(done) => given.extend(done),
                Err(error) if run.continues_on_fail() => given.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(given))
    }
}

impl S3 {
    async fn service(&self, run: &mut NodeRun<'_>) -> Result<Service, NodeError> {
        let fields = Fields::of(run, if self.whose == Whose::Aws { "aws" } else { "s3" }).await?;
        let region = fields.some_text("region").unwrap_or_else(|| "us-east-1".to_owned());
        let (endpoint, path_style) = match self.whose {
            Whose::Others => (fields.needed("endpoint")?, fields.truth("forcePathStyle")),
            Whose::Aws => match fields.some_text("s3Endpoint").filter(|_| fields.truth("customEndpoints")) {
                Some(endpoint) => (endpoint.replace("{region}", &region), true),
                None => (format!("https://s3.{region}.amazonaws.com"), false),
            },
        };
        let parsed = Url::parse(endpoint.trim()).ok().filter(|url| url.has_host());
        let endpoint = parsed.ok_or_else(|| {
            NodeError::operation("the address of the service is none")
                .described("save the credential again, with an address such as https://s3.example.com")
        })?;
        // Addresses of numbers have no hosts below them.
        let path_style = path_style || endpoint.domain().is_none();
        let signer = Signer {
            key_id: fields.needed("accessKeyId")?.trim().to_owned(),
            key: fields.needed("secretAccessKey")?.trim().to_owned(),
            token: fields.some_text("sessionToken").filter(|_| fields.truth("temporaryCredentials")),
            service: "s3".to_owned(),
            region,
        };
        Ok(Service {
            endpoint,
            path_style,
            any_certificate: fields.truth("ignoreSSLIssues"),
            signer,
            policy: run.services.outbound.clone(),
            began: DateTime::from_timestamp_millis(run.scope.now_ms).unwrap_or_default(),
            since: Instant::now(),
        })
    }
}
