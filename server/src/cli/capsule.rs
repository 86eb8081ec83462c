//! `timeloom capsule`: one execution as one file. Made from a server or a data folder; everything else needs the file alone.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reqwest::StatusCode;
use serde_json::{Value, json};
use timeloom_domain::definition::{WorkflowDefinition, parse};
use timeloom_domain::ids::ExecutionId;
use timeloom_engine::replay::{ReplayOnceError, Replayed};
use timeloom_history::capsule::{ATTACHMENT_BYTES_DEFAULT, CapsuleMakeError, CapsuleOptions, CapsuleSource, make};
use timeloom_store::proofs::ProofsError;
use timeloom_verify::capsule::{CAPSULE_BYTES_MAX, Capsule, CapsuleError, LeftOutKind, Role};
use timeloom_verify::{cli as verify, hexadecimal};
use uuid::Uuid;

use super::client::Client;
use super::log::refused;
use super::workflow::read_file;
use super::{Access, Failure, output, test_case};
use crate::app::{App, TENANT};
use crate::audit::{AuditKeys, bring_up_to_date};
use crate::capsule::OpenCapsule;
use crate::config::Config;
use crate::token::HOW_TO_SHOW;

/// Between two questions whether a checkpoint covers an execution.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The capsule of a test, in its folder.
const CASE_CAPSULE: &str = "recorded.capsule";
/// The definition of a test, in its folder.
const CASE_WORKFLOW: &str = "workflow.json";
/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub enum CapsuleVerb {
    /// Put an execution that has ended into a file, with everything that it takes to look at it, prove it and run it again
    Make(MakeArguments),
    /// Tell what is in a capsule, and what was left out of it
    Show {
        /// The capsule.
        file: PathBuf,
        /// List its events.
        #[arg(long)]
        events: bool,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prove a capsule by the keys of its log: exits with 0 when it is proved, 1 when it is not, 2 when there is no key to tell
    Verify {
        /// The capsule.
        file: PathBuf,
        /// A key of the log, or a file of them. Take it from whom you trust with it, never from where the capsule came from.
        #[arg(long, value_name = "KEY|FILE")]
        key: Vec<String>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run what a capsule recorded again, with all effects answered from it; exits with 3 when something else comes of it
    Replay {
        /// The capsule, or the folder of a test that `capsule import` made.
        file: PathBuf,
        /// Run it under this workflow file in place of what was run.
        #[arg(long, value_name = "FILE")]
        definition: Option<PathBuf>,
        /// Run it under the draft of this workflow of a data folder or server.
        #[arg(long, value_name = "ID", conflicts_with = "definition")]
        workflow: Option<Uuid>,
        #[command(flatten)]
        access: Access,
    },
    /// Make a test of a capsule: a folder with what was recorded, and with the workflow file that is to do the same; or a test
    /// case that a server or data folder keeps, to hold new versions of the workflow against it
    Import {
        /// The capsule.
        file: PathBuf,
        /// The folder to make.
        #[arg(long, value_name = "FOLDER", required_unless_present = "as_test")]
        into: Option<PathBuf>,
        /// Keep it as a test case of its workflow.
        #[arg(long, conflicts_with = "into")]
        as_test: bool,
        /// What the test case is called; by the file when absent.
        #[arg(long, requires = "as_test")]
        name: Option<String>,
        /// A key of the log that it comes from where that is another one, or a file of them. Take it from whom you trust with it.
        #[arg(long, value_name = "KEY|FILE", requires = "as_test")]
        key: Vec<String>,
        #[command(flatten)]
        access: Access,
    },
}

/// What `capsule make` takes.
#[derive(Debug, Args)]
pub struct MakeArguments {
    /// The execution.
    execution: Uuid,
    /// The file to write; one of that name is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Take attachments along up to this many mebibytes; the others are named.
    #[arg(long, value_name = "MIB", default_value_t = ATTACHMENT_BYTES_DEFAULT / MIB, value_parser = clap::value_parser!(u64).range(..=256))]
    attachments_max_mib: u64,
    /// How long to wait, in seconds, until a server has signed a checkpoint that covers the execution.
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(..=600))]
    wait: u64,
    #[command(flatten)]
    access: Access,
}

impl CapsuleVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Make(arguments) => arguments.run(config).await,
            Self::Show { file, events, json } => show(&read(&file)?, events, json).await,
            Self::Verify { file, key, json } => proved(&read(&file)?, &key, json),
            Self::Replay { file, definition, workflow, access } => {
                replay(&file, definition.as_deref(), workflow, &access, config).await
            }
            Self::Import { file, into: Some(into), access, .. } => import(&file, &into, access.json).await,
            Self::Import { file, into: None, name, key, access, .. } => {
                test_case::Import { file, name, keys: key }.run(&access, config).await
            }
        }
    }
}

impl MakeArguments {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        let client = Client::open(&self.access, config).await?;
        let wanted = Wanted {
            execution: self.execution,
            attachment_bytes_max: self.attachments_max_mib * MIB,
            wait: Duration::from_secs(self.wait),
        };
        let capsule = wanted.of(&client, config).await;
        client.close().await;
        let capsule = capsule?;
        write(&capsule, &self.output)?;
        if self.access.json {
            output::json(&summary(&capsule));
        } else {
            let bytes = std::fs::metadata(&self.output).map_or(0, |file| file.len());
            output::line(&format!("{}: {} events, {bytes} bytes", self.output.display(), capsule.event_count()));
            tell_left_out(&capsule);
        }
        Ok(())
    }
}

/// Of which execution a capsule is wanted.
pub(super) struct Wanted {
    pub(super) execution: Uuid,
    /// Bytes of attachments at most.
    pub(super) attachment_bytes_max: u64,
    /// How long a checkpoint is waited for.
    pub(super) wait: Duration,
}

impl Wanted {
    /// The capsule, of a server or of what this process has opened.
    pub(super) async fn of(&self, client: &Client, config: &Config) -> Result<Capsule, Failure> {
        match client {
            Client::Remote { url, http } => self.fetched(url.trim_end_matches("/graphql"), http).await,
            Client::Local { app, .. } => {
                self.made(app, config).await.map_err(|error| match error.downcast_ref::<CapsuleMakeError>() {
                    Some(
                        CapsuleMakeError::Unknown(_)
                        | CapsuleMakeError::NotEnded(_)
                        | CapsuleMakeError::Gone(_)
                        | CapsuleMakeError::TooLarge { .. }
                        | CapsuleMakeError::Proofs(ProofsError::Behind { .. } | ProofsError::NoCheckpoint { .. }),
                    ) => refused(&error.to_string()),
                    _ => error.into(),
                })
            }
        }
    }

    async fn made(&self, app: &App, config: &Config) -> anyhow::Result<Capsule> {
        let (Some(stored), Some(proofs)) = (&app.store.stored, &app.store.proofs) else {
            bail!("a log in memory is proved by nothing");
        };
        // Nobody else lets the tree over a folder follow its log.
        if config.database.is_none() {
            let keys = AuditKeys::new(config, app.store.key_place(config));
            bring_up_to_date(proofs, &keys, app.log.head(), |_, _| {}).await?;
        }
        let source = CapsuleSource { log: &*app.log, stored: &*stored.log, blobs: &*stored.blobs, proofs };
        let options = CapsuleOptions {
            attachment_bytes_max: self.attachment_bytes_max,
            ..CapsuleOptions::made_by(format!("timeloom {}", env!("CARGO_PKG_VERSION")))
        };
        Ok(make(source, TENANT, ExecutionId(self.execution), &options).await?)
    }

    /// From a server, once it has signed a checkpoint.
    async fn fetched(&self, url: &str, http: &reqwest::Client) -> Result<Capsule, Failure> {
        let address = format!("{url}/capsules/{}?attachments={}", self.execution, self.attachment_bytes_max);
        let (began, mut was_told) = (Instant::now(), false);
        loop {
            let (status, body) = answer(url, http, &address).await?;
            if status.is_success() {
                return Capsule::read(Cursor::new(body)).map_err(|error| {
                    anyhow::Error::new(error).context(format!("what the server at {url} gave is no capsule")).into()
                });
            }
            let refusal: Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = output::text(&refusal, "/errors/0/message");
            let is_behind = output::text(&refusal, "/errors/0/extensions/code") == "BEHIND";
            if is_behind && began.elapsed() < self.wait {
                if !was_told {
                    output::notice("waiting for the server to sign a checkpoint that covers the execution");
                }
                was_told = true;
                tokio::time::sleep(ASK_AGAIN).await;
                continue;
            }
            return Err(match status {
                StatusCode::UNAUTHORIZED => refused(&format!("{message}; {HOW_TO_SHOW}")),
                status if status.is_client_error() => refused(&message),
                status => anyhow::anyhow!("the server at {url} answered {status}: {message}").into(),
            });
        }
    }
}

/// What a server answers, as much of it as a capsule may have.
async fn answer(url: &str, http: &reqwest::Client, address: &str) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    let sent = http.get(address).send().await;
    let mut response = sent.with_context(|| format!("the server at {url} cannot be reached"))?;
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(part) = response.chunk().await.context("the server's answer broke off")? {
        if (body.len() + part.len()) as u64 > CAPSULE_BYTES_MAX {
            bail!("the server at {url} gave more than a capsule may have");
        }
        body.extend_from_slice(&part);
    }
    Ok((status, body))
}

/// Reads a capsule. What is wrong with it is whoever gave it's matter.
pub(super) fn read(file: &Path) -> Result<Capsule, Failure> {
    let opened = File::open(file).map_err(|error| refused(&format!("{} cannot be read: {error}", file.display())))?;
    Capsule::read(BufReader::new(opened)).map_err(|error| match error {
        CapsuleError::Io(error) => {
            anyhow::Error::new(error).context(format!("{} cannot be read", file.display())).into()
        }
        error => refused(&format!("{}: {error}", file.display())),
    })
}

/// Writes it whole or not at all.
fn write(capsule: &Capsule, file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = || format!("{} cannot be written", file.display());
    let unfinished = tempfile::NamedTempFile::new_in(folder).with_context(written)?;
    let mut to = BufWriter::new(unfinished);
    capsule.write(&mut to).with_context(written)?;
    to.flush().with_context(written)?;
    let unfinished = to.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(written)?;
    unfinished.as_file().sync_all().with_context(written)?;
    unfinished.persist(file).with_context(written)?;
    Ok(())
}

fn summary(capsule: &Capsule) -> Value {
    let mut summary = serde_json::to_value(capsule.manifest()).unwrap_or_default();
    if let Some(fields) = summary.as_object_mut() {
        fields.remove("files");
        fields.insert("events".to_owned(), json!(capsule.event_count()));
        fields.insert("blobs".to_owned(), json!(capsule.blobs().len()));
    }
    summary
}

async fn show(capsule: &Capsule, with_events: bool, as_json: bool) -> Result<(), Failure> {
    let open = OpenCapsule::new(capsule)?;
    let end = open.end().await?;
    if as_json {
        let mut answer = summary(capsule);
        answer["status"] = json!(end.status);
        if with_events {
            answer["list"] = events(capsule)?.into_iter().map(|event| event.json).collect();
        }
        output::json(&answer);
        return Ok(());
    }
    let manifest = capsule.manifest();
    output::line(&format!("execution {} is {}", manifest.execution, end.status.unwrap_or("unknown")));
    for workflow in &manifest.in_force.workflows {
        let version = workflow.version.map_or_else(|| "draft".to_owned(), |version| format!("version {version}"));
        output::line(&format!("ran '{}' ({}, {version}, revision {})", workflow.name, workflow.id, workflow.revision));
    }
    output::line(&format!(
        "{} events of {} streams, in the tree of {} events of log {}, root {}",
        capsule.event_count(),
        manifest.streams.len(),
        manifest.tree_size,
        manifest.log_id,
        hexadecimal::encode(&manifest.root)
    ));
    for stream in &manifest.streams {
        let why = match stream.role {
            Role::Execution => "the execution",
            Role::Earlier => "what it goes on from",
            Role::Called => "called by it",
            Role::Workflow => "what was run",
        };
        output::line(&format!("  {}/{}: {} events, {why}", stream.category, stream.id, stream.events));
    }
    let node_types = manifest.in_force.node_types.iter().map(|node| format!("{} {}", node.name, node.version));
    output::line(&format!("node types: {}", node_types.collect::<Vec<_>>().join(", ")));
    for credential in &manifest.in_force.credentials {
        output::line(&format!("names the credential '{}' ({})", credential.name, credential.credential_type));
    }
    tell_left_out(capsule);
    output::line(&format!(
        "made by {}; it is whole: `timeloom capsule verify` proves who signed it",
        manifest.in_force.program
    ));
    if with_events {
        let rows: Vec<Vec<String>> = events(capsule)?.into_iter().map(|event| event.cells).collect();
        output::line("");
        output::table(&["POSITION", "STREAM", "REVISION", "TYPE"], &rows);
    }
    Ok(())
}

/// An event for people and for programs.
struct Listed {
    cells: Vec<String>,
    json: Value,
}

fn events(capsule: &Capsule) -> anyhow::Result<Vec<Listed>> {
    let listed = |line: Result<timeloom_verify::line::Line<'_>, _>| {
        let line = line?;
        let record = line.record();
        let cells = vec![
            record.position.to_string(),
            format!("{}/{}", record.category, record.stream),
            record.revision.to_string(),
            record.event_type.to_owned(),
        ];
        let json = json!({
            "position": record.position, "category": record.category, "id": record.stream,
            "revision": record.revision, "type": record.event_type,
        });
        Ok(Listed { cells, json })
    };
    capsule.events().map(listed).collect()
}

/// What belongs to the execution and cannot be seen here.
fn tell_left_out(capsule: &Capsule) {
    let manifest = capsule.manifest();
    if manifest.sealed_events > 0 {
        output::notice(&format!(
            "{} events are about somebody or kept for a limited time: what is sealed of them is not to be seen here",
            manifest.sealed_events
        ));
    }
    for left_out in &manifest.left_out {
        let what = match left_out.what {
            LeftOutKind::Attachment => "attachment",
            LeftOutKind::Execution => "execution",
        };
        output::notice(&format!("left out: {what} {}: {}", left_out.name, left_out.reason));
    }
}

fn proved(capsule: &Capsule, given: &[String], as_json: bool) -> Result<(), Failure> {
    let manifest = capsule.manifest();
    let keys = verify::keys(given).map_err(|message| refused(&message))?;
    let signed = capsule.signer(&keys);
    let signer = signed.as_ref().ok().map(|key| format!("{}+{}", key.name, key.id_text()));
    let why_not = signed.as_ref().err().map(ToString::to_string);
    if as_json {
        output::json(&json!({
            "proved": signer.is_some(), "whole": true, "signedBy": signer, "reason": why_not,
            "events": capsule.event_count(), "treeSize": manifest.tree_size, "root": hexadecimal::encode(&manifest.root),
        }));
    } else if let Some(signer) = signer {
        output::line(&format!(
            "PROVED: all {} events are in the tree of {} events, signed by {signer}",
            capsule.event_count(),
            manifest.tree_size
        ));
    } else if given.is_empty() {
        output::line(
            "WHOLE, BUT NOT PROVED: every event is in the tree of its checkpoint, and no key tells whose that is",
        );
        output::notice("give --key KEYS, as `timeloom audit keys` prints them for whoever runs the log");
    } else {
        output::line(&format!("NOT PROVED: {}", why_not.unwrap_or_default()));
    }
    match (signed.is_ok(), given.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Refused),
        (false, false) => Err(Failure::Failed),
    }
}

async fn replay(
    file: &Path,
    definition: Option<&Path>,
    workflow: Option<Uuid>,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let (file, own) =
        if file.is_dir() { (file.join(CASE_CAPSULE), Some(file.join(CASE_WORKFLOW))) } else { (file.to_owned(), None) };
    let capsule = read(&file)?;
    let definition = match (definition.map(Path::to_owned), workflow) {
        (Some(file), _) => Some(definition_in(&file)?),
        (None, Some(id)) => Some(draft_of(id, access, config).await?),
        (None, None) => own.map(|own| definition_in(&own)).transpose()?,
    };
    let open = OpenCapsule::new(&capsule)?;
    let replayed = match open.rig(&capsule, config).await?.replay(definition).await {
        Ok(replay) => replay.replayed,
        Err(error @ ReplayOnceError::CannotRun(_)) => return Err(refused(&error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let (word, difference) = match &replayed {
        Replayed::Same => ("same", None),
        Replayed::Differs(difference) => ("differs", Some(difference)),
        Replayed::NotAnswered { difference, .. } => ("not-answered", Some(difference)),
        Replayed::NotComparable => ("not-comparable", None),
    };
    if access.json {
        output::json(&json!({ "outcome": word, "difference": difference }));
    } else {
        tell_replayed(&replayed);
    }
    match replayed {
        Replayed::Same => Ok(()),
        Replayed::Differs(_) | Replayed::NotAnswered { .. } => Err(Failure::Differs),
        Replayed::NotComparable => Err(Failure::Refused),
    }
}

fn tell_replayed(replayed: &Replayed) {
    let difference = match replayed {
        Replayed::Same => return output::line("the same came of it"),
        Replayed::NotComparable => {
            return output::error("it was cancelled or cut off: there is nothing to hold a second run against");
        }
        Replayed::Differs(difference) => difference,
        Replayed::NotAnswered { node, difference } => {
            output::notice(&format!(
                "the effect of '{node}' was not recorded like this: what would have come of it is not known"
            ));
            difference
        }
    };
    output::line(&format!("something else came of it: {}", difference.summary));
    for change in &difference.changes {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        output::line(&format!("    {}: {} → {}", change.path, shown(&change.before), shown(&change.after)));
    }
}

fn definition_in(file: &Path) -> Result<WorkflowDefinition, Failure> {
    let text = read_file(file).map_err(|error| refused(&format!("{error:#}")))?;
    parse(&text).map_err(|error| refused(&format!("{}: {error}", file.display())))
}

async fn draft_of(id: Uuid, access: &Access, config: &Config) -> Result<WorkflowDefinition, Failure> {
    const DRAFT: &str = "query($id: ID!) { stateAt(entity: { kind: WORKFLOW, id: $id }) { part(path: \"/draft\") } }";
    let client = Client::open(access, config).await?;
    let data = client.ask(DRAFT, json!({ "id": id })).await;
    client.close().await;
    match data?.pointer("/stateAt/part") {
        Some(draft) if !draft.is_null() => {
            parse(draft.to_string().as_bytes()).map_err(|error| refused(&format!("the draft of {id}: {error}")))
        }
        _ => Err(refused(&format!("there is no workflow {id}: `timeloom workflow list` shows those that are"))),
    }
}

/// Makes a folder that can lie beside the workflow's file, where changes of both are seen.
async fn import(file: &Path, into: &Path, as_json: bool) -> Result<(), Failure> {
    let capsule = read(file)?;
    let open = OpenCapsule::new(&capsule)?;
    let definition = open.definition().await?;
    if into.exists() {
        return Err(refused(&format!("{} is there already: give a folder that is not", into.display())));
    }
    let written = || format!("{} cannot be written", into.display());
    std::fs::create_dir_all(into).with_context(written)?;
    write(&capsule, &into.join(CASE_CAPSULE))?;
    let text = serde_json::to_string_pretty(&*definition)? + "\n";
    std::fs::write(into.join(CASE_WORKFLOW), text).with_context(written)?;
    if as_json {
        output::json(
            &json!({ "folder": into, "workflow": definition.name, "execution": capsule.manifest().execution }),
        );
    } else {
        let folder = into.display();
        output::line(&format!("{folder} has what was recorded, and '{}' as it was run", definition.name));
        output::line(&format!("change {CASE_WORKFLOW} there, and see what differs: timeloom capsule replay {folder}"));
    }
    Ok(())
}
