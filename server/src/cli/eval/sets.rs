//! `timeloom eval set`: sets of cases on which models, agents and workflows are tried.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::client::Client;
use crate::cli::workflow::{all_pages, read_file};
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const CREATE: &str = "mutation($input: CreateEvaluationSetInput!) { createEvaluationSet(input: $input) {
  name leftOut position errors { code message } evaluationSet { name description newestVersion version { version caseCount } } } }";
const ADD: &str = "mutation($input: AddEvaluationSetVersionInput!) { addEvaluationSetVersion(input: $input) {
  name leftOut position errors { code message } evaluationSet { name description newestVersion version { version caseCount } } } }";
const SHOW: &str = "query($name: String!, $version: Int, $first: Int!) { evaluationSet(name: $name) {
  name description newestVersion versions { version caseCount bytes addedAt }
  version(version: $version) { version cases(first: $first) { id input expected origin inferenceId executionId } } } }";
const LIST: &str = "query($first: Int!, $after: String) { evaluationSets(first: $first, after: $after) {
  nodes { name description newestVersion version { caseCount addedAt } } pageInfo { hasNextPage endCursor } } }";

/// Characters of an input or expected value that a table shows; all of it is in JSON.
const SHOWN_CHARACTERS_MAX: usize = 60;
/// Most cases that are asked for: a version has no more.
const CASES_MAX: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub enum SetVerb {
    /// Make a set of cases: JSON Lines such as {"input": {"text": "…"}, "expected": {"label": "…"}}, or what was recorded
    Create {
        /// Its name: lower-case letters, digits, '-', '_', '.' and '/'.
        name: String,
        #[command(flatten)]
        source: Source,
        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        /// Whom the cases are about: they go when the data of this subject is erased.
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Add a version to a set
    Add {
        /// The set.
        name: String,
        #[command(flatten)]
        source: Source,
        /// Keep the cases of the newest version, and add these.
        #[arg(long)]
        keep: bool,
        /// Refuse it where another version is the newest.
        #[arg(long, value_name = "VERSION")]
        after: Option<u32>,
        /// Whom the cases are about: they go when the data of this subject is erased.
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Add a version that has the cases of the newest one but for some
    Remove {
        /// The set.
        name: String,
        /// Ids of the cases that are left out.
        #[arg(required = true, value_name = "CASE")]
        cases: Vec<String>,
        /// Refuse it where another version is the newest.
        #[arg(long, value_name = "VERSION")]
        after: Option<u32>,
        #[command(flatten)]
        access: Access,
    },
    /// List the sets, newest first
    List {
        #[command(flatten)]
        access: Access,
    },
    /// Show the versions of a set, and the cases of one
    #[command(disable_version_flag = true)]
    Show {
        /// The set.
        name: String,
        /// The version; the newest when absent.
        #[arg(long)]
        version: Option<u32>,
        #[command(flatten)]
        access: Access,
    },
}

/// Where cases come from.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Source {
    /// A file of JSON Lines; `-` reads standard input.
    #[arg(required_unless_present_any = ["from_workflow", "from_model"])]
    file: Option<PathBuf>,
    /// Completed executions of this workflow: the items with which one began, and what its last node gave.
    #[arg(long, value_name = "ID")]
    from_workflow: Option<Uuid>,
    /// Recorded inferences of this model: what it was given, and what it answered.
    #[arg(long, value_name = "NAME")]
    from_model: Option<String>,
    /// Only inferences that this version answered.
    #[arg(long, value_name = "VERSION", requires = "from_model")]
    of_version: Option<u32>,
    /// How many of the newest that were recorded.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    last: u32,
}

impl Source {
    /// The input of a mutation, with where cases come from.
    fn put(&self, mut input: Value) -> anyhow::Result<Value> {
        if let Some(file) = &self.file {
            let named = || format!("{} is not UTF-8 text", file.display());
            input["lines"] = String::from_utf8(read_file(file)?).with_context(named)?.into();
        }
        if let Some(workflow) = self.from_workflow {
            input["executions"] = json!({ "workflowId": workflow, "last": self.last });
        }
        if let Some(model) = &self.from_model {
            input["inferences"] = json!({ "model": model, "ofVersion": self.of_version, "last": self.last });
        }
        Ok(input)
    }
}

impl SetVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Create { name, source, description, subject, access } => {
                let input = json!({ "name": name, "description": description, "subject": subject });
                write(("createEvaluationSet", CREATE), source.put(input)?, &access, config).await
            }
            Self::Add { name, source, keep, after, subject, access } => {
                let input = json!({ "name": name, "keep": keep, "afterVersion": after, "subject": subject });
                write(("addEvaluationSetVersion", ADD), source.put(input)?, &access, config).await
            }
            Self::Remove { name, cases, after, access } => {
                let input = json!({ "name": name, "keep": true, "without": cases, "afterVersion": after });
                write(("addEvaluationSetVersion", ADD), input, &access, config).await
            }
            Self::List { access } => Ok(list(&access, config).await?),
            Self::Show { name, version, access } => show(&name, version, &access, config).await,
        }
    }
}

async fn write((field, query): (&str, &str), input: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let result = client.change(field, query, input, access.json).await;
    client.close().await;
    let payload = result?;
    let set = payload.get("evaluationSet").cloned().unwrap_or_default();
    if access.json {
        output::json(&set);
    } else {
        let text = |path: &str| output::text(&set, path);
        let (name, version, cases) = (text("/name"), text("/version/version"), text("/version/caseCount"));
        output::line(&format!("{name}@{version} has {cases} cases"));
        let left_out = output::text(&payload, "/leftOut");
        if left_out != "0" {
            output::notice(&format!("{left_out} of what was recorded became no case: see docs/evaluations.md"));
        }
    }
    Ok(())
}

async fn list(access: &Access, config: &Config) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let found = all_pages(&client, LIST, "evaluationSets", json!({ "first": 100 })).await;
    client.close().await;
    let found = found?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |set: &Value| {
        let text = |path: &str| output::text(set, path);
        let (version, cases) = (text("/newestVersion"), text("/version/caseCount"));
        vec![text("/name"), version, cases, text("/version/addedAt"), text("/description")]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["SET", "VERSION", "CASES", "ADDED", "FOR"], &rows);
    Ok(())
}

async fn show(name: &str, version: Option<u32>, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(SHOW, json!({ "name": name, "version": version, "first": CASES_MAX })).await;
    client.close().await;
    let found = found?;
    let Some(set) = found.get("evaluationSet").filter(|set| !set.is_null()) else {
        return Err(
            anyhow::anyhow!("there is no evaluation set '{name}' here: 'timeloom eval set list' shows all").into()
        );
    };
    if set.get("version").is_none_or(Value::is_null) {
        let newest = output::text(set, "/newestVersion");
        return Err(anyhow::anyhow!("{name} has no such version: its newest is {newest}").into());
    }
    if access.json {
        output::json(set);
        return Ok(());
    }
    let list = |path: &str| set.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    output::line(&format!("{name}: {}", output::text(set, "/description")));
    let version = |version: &Value| {
        ["/version", "/caseCount", "/bytes", "/addedAt"].map(|path| output::text(version, path)).to_vec()
    };
    let versions: Vec<Vec<String>> = list("/versions").iter().map(version).collect();
    output::table(&["VERSION", "CASES", "BYTES", "ADDED"], &versions);
    output::line(&format!("cases of version {}", output::text(set, "/version/version")));
    let short = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(value) => value.to_string().chars().take(SHOWN_CHARACTERS_MAX).collect(),
    };
    let case = |case: &Value| vec![output::text(case, "/id"), short(case.get("input")), short(case.get("expected"))];
    let cases: Vec<Vec<String>> = list("/version/cases").iter().map(case).collect();
    output::table(&["CASE", "INPUT", "EXPECTED"], &cases);
    Ok(())
}
