//! `timeloom service`: the services whose nodes are offered as HTTP Requests, and files that describe more of them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_domain::definition::Node;
use timeloom_domain::service::{SERVICE_BYTES_MAX, Service, given_services, services, take_services};

use super::{Failure, output};
use crate::config::Config;

/// Most files of a folder that are looked at.
const FILES_MAX: usize = 10_000;

#[derive(Debug, Subcommand)]
pub enum ServiceVerb {
    /// List the services whose nodes are offered as HTTP Requests: those of this build, and those of --services
    List {
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a file that describes a service, and show what comes of a node
    Check {
        /// The file.
        file: PathBuf,
        /// A node in JSON, as workflow files have it: the HTTP Request that comes of it is shown. `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        node: Option<PathBuf>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

impl ServiceVerb {
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Self::List { json } => {
                list(json);
                Ok(())
            }
            Self::Check { file, node, json } => check(&file, node.as_deref(), json),
        }
    }
}

/// Takes the services of the folder that `--services` names.
///
/// # Errors
/// Which file cannot be read, and what is wrong in it.
pub fn take(config: &Config) -> anyhow::Result<()> {
    let Some(folder) = &config.services else { return Ok(()) };
    let told = || format!("the services in {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(told)? {
        let path = entry.with_context(told)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
        anyhow::ensure!(files.len() <= FILES_MAX, "{} has more than {FILES_MAX} files", folder.display());
    }
    files.sort();
    let services = files.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<Service>>>()?;
    take_services(services).map_err(|problem| anyhow::anyhow!("{}: {problem}", folder.display()))
}

fn read(file: &Path) -> anyhow::Result<Service> {
    let told = || format!("{} cannot be read", file.display());
    let bytes = std::fs::metadata(file).with_context(told)?.len();
    anyhow::ensure!(
        bytes <= SERVICE_BYTES_MAX as u64,
        "{} has {bytes} bytes, at most {SERVICE_BYTES_MAX} are read",
        file.display()
    );
    let text = std::fs::read_to_string(file).with_context(told)?;
    Service::read(&text).map_err(|problem| anyhow::anyhow!("{}: {problem}", file.display()))
}

fn list(as_json: bool) {
    let of = |services: &'static [Service], origin: &'static str| services.iter().map(move |service| (service, origin));
    let all: Vec<_> = of(given_services(), "given").chain(of(services(), "built in")).collect();
    if as_json {
        let told = |(service, origin): &(&Service, &str)| {
            let operations: Vec<Value> = service
                .operations()
                .into_iter()
                .map(|(resource, operation)| json!({ "resource": resource, "operation": operation }))
                .collect();
            json!({
                "service": service.service, "nodeType": service.node_type, "versions": service.versions(),
                "operations": operations, "origin": origin,
            })
        };
        output::json(&all.iter().map(told).collect());
        return;
    }
    let row = |(service, origin): &(&Service, &str)| {
        let operations = service.operations().len();
        vec![service.service.clone(), service.node_type.clone(), operations.to_string(), (*origin).to_owned()]
    };
    output::table(&["SERVICE", "NODE TYPE", "OPERATIONS", "FROM"], &all.iter().map(row).collect::<Vec<_>>());
}

fn check(file: &Path, node: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let service = match read(file) {
        Ok(service) => service,
        Err(problem) => {
            output::error(&format!("{problem:#}"));
            return Err(Failure::Refused);
        }
    };
    let Some(node) = node else {
        let operations = service.operations().len();
        if as_json {
            output::json(&json!({ "service": service.service, "operations": operations }));
        } else {
            output::line(&format!("{}: {operations} operations of '{}'", service.service, service.node_type));
        }
        return Ok(());
    };
    let node: Node = serde_json::from_slice(&super::workflow::read_file(node)?).context("the node cannot be read")?;
    if node.node_type != service.node_type {
        output::error(&format!("the node is of type '{}', the file tells of '{}'", node.node_type, service.node_type));
        return Err(Failure::Refused);
    }
    match service.replace(&node) {
        Ok(made) => {
            output::json(&json!({
                "replacement": made.node, "needs": made.needs, "dropped": made.dropped, "differs": made.differs,
            }));
            Ok(())
        }
        Err(refusal) => {
            output::error(&format!("there is no HTTP Request for it: {refusal}"));
            Err(Failure::Refused)
        }
    }
}
