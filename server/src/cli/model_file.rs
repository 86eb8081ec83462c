//! `timeloom model add`: a file becomes a version of a model, in the data folder or on a server.
//!
//! To a server it goes in pieces, and goes on from the last one that arrived when the connection breaks.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Client as Http, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use timeloom_domain::ids::Slug;
use timeloom_inference::models::Digest;

use super::client::{Refused, http_client};
use super::progress::Progress;
use super::{Access, Failure, output};
use crate::app::App;
use crate::config::Config;
use crate::models::{AddModelFile, NotAdded, manager};

/// Bytes of a piece.
const PIECE_BYTES: usize = 8 << 20;
/// How often a piece is sent again that did not arrive.
const TRIES_MAX: u32 = 5;
/// Pause before the second try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);

/// What is added.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// The model's name; it is registered where it is not.
    name: String,
    /// The file, in ONNX's format.
    file: PathBuf,
    /// Files of weights beside it, by the names that it knows them by; they lie in the same folder.
    #[arg(long = "beside", value_name = "FILE")]
    beside: Vec<String>,
    /// What the model computes, where it is registered now.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Where the file was taken from; its name when absent.
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Under which licence it may be used.
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// The SHA-256 that it must have, hexadecimal.
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,
    /// Let requests that name no version be answered by it.
    #[arg(long)]
    promote: bool,
    #[command(flatten)]
    access: Access,
}

/// Adds the file.
///
/// # Errors
/// When it cannot be read, has another digest, or does not pass the checks.
pub async fn add(arguments: AddArguments, config: &Config) -> Result<(), Failure> {
    let name = Slug::try_new(arguments.name.clone()).map_err(|error| Refused(error.to_string()))?;
    let digest = digest_of(&arguments.file)?;
    if let Some(wanted) = arguments.sha256.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(digest.as_str())) {
        return Err(Refused(format!("{} has the SHA-256 {digest}, not {wanted}", arguments.file.display())).into());
    }
    let added = match &arguments.access.server {
        Some(server) => remote(server, &name, &arguments, &digest, config).await?,
        None => local(name, &arguments, digest, config).await?,
    };
    if arguments.access.json {
        output::json(&added);
    } else {
        let [model, version, sha256] = ["/model", "/version", "/sha256"].map(|path| output::text(&added, path));
        output::line(&format!("added version {version} of model {model}: {sha256}"));
        if !arguments.promote {
            output::notice(&format!("'timeloom model promote {model} {version}' lets it answer"));
        }
    }
    Ok(())
}

fn digest_of(path: &Path) -> anyhow::Result<Digest> {
    let unreadable = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    Ok(Digest::of_all(file).with_context(unreadable)?.0)
}

fn source(arguments: &AddArguments) -> Option<String> {
    let name = || arguments.file.file_name().map(|name| name.to_string_lossy().into_owned());
    arguments.source.clone().or_else(name)
}

/// The path of a file beside the model's.
fn beside(arguments: &AddArguments, name: &str) -> PathBuf {
    arguments.file.parent().unwrap_or(Path::new(".")).join(name)
}

async fn local(name: Slug, arguments: &AddArguments, digest: Digest, config: &Config) -> Result<Value, Failure> {
    let app = App::open(config, timeloom_nodes::registry::all()).await?;
    let added = add_to(&app, name, arguments, digest, config).await;
    app.close().await;
    match added {
        Err(error) => match error.downcast::<NotAdded>() {
            Ok(why @ (NotAdded::Rejected(_) | NotAdded::NoRuntime(_) | NotAdded::Store(_))) => {
                Err(Refused(why.to_string()).into())
            }
            Ok(why) => Err(why.into()),
            Err(error) => Err(error.into()),
        },
        Ok(added) => Ok(added),
    }
}

async fn add_to(
    app: &App,
    name: Slug,
    arguments: &AddArguments,
    digest: Digest,
    config: &Config,
) -> anyhow::Result<Value> {
    let manager = manager(config, &config.models_folder(), &app.commands)?;
    let store = &manager.files().store;
    let keep = |path: &Path, wanted: Option<&Digest>| -> anyhow::Result<Digest> {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let fresh = app.commands.ids().uuid().to_string();
        Ok(store.keep(file, wanted, &fresh).map_err(NotAdded::from)?.digest)
    };
    keep(&arguments.file, Some(&digest))?;
    let mut weights = Vec::new();
    for name in &arguments.beside {
        weights.push((name.clone(), keep(&beside(arguments, name), None)?));
    }
    let add = AddModelFile {
        model: name,
        description: arguments.description.clone(),
        digest,
        source: source(arguments),
        licence: arguments.licence.clone(),
        beside: weights,
        promote: arguments.promote,
    };
    let added = manager.add(&app.api.context(None), add).await?;
    Ok(json!({
        "model": added.model.to_string(), "version": added.version, "sha256": added.digest.to_string(),
        "position": added.position.to_string(),
    }))
}

async fn remote(
    server: &str,
    name: &Slug,
    arguments: &AddArguments,
    digest: &Digest,
    config: &Config,
) -> anyhow::Result<Value> {
    if !server.starts_with("http://") && !server.starts_with("https://") {
        bail!("'{server}' is not the address of a server: it must begin with http:// or https://");
    }
    let http = http_client(config)?;
    let uploads = format!("{}/models/uploads", server.trim_end_matches('/'));
    let mut weights = Vec::new();
    for name in &arguments.beside {
        let path = beside(arguments, name);
        let digest = digest_of(&path)?;
        let id = upload(&http, &uploads, &path, &digest).await?;
        answer(http.post(format!("{uploads}/{id}/file"))).await?;
        weights.push(json!({ "path": name, "sha256": digest.to_string() }));
    }
    let id = upload(&http, &uploads, &arguments.file, digest).await?;
    let what = json!({
        "model": name.to_string(), "description": arguments.description, "source": source(arguments),
        "licence": arguments.licence, "beside": weights, "promote": arguments.promote,
    });
    output::notice("the server checks the file");
    answer(http.post(format!("{uploads}/{id}/version")).json(&what)).await
}

/// Sends a file in pieces; the id of its upload.
async fn upload(http: &Http, uploads: &str, path: &Path, digest: &Digest) -> anyhow::Result<String> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(unreadable)?;
    let bytes = file.metadata().with_context(unreadable)?.len();
    let begun = answer(http.post(uploads).json(&json!({ "bytes": bytes, "sha256": digest.to_string() }))).await?;
    let id = output::text(&begun, "/id");
    let (mut offset, mut tries, mut pause) = (0, 0, PAUSE);
    let mut progress = Progress::of_bytes();
    let mut piece = vec![0; PIECE_BYTES];
    while offset < bytes {
        progress.show("sending", offset, bytes);
        file.seek(SeekFrom::Start(offset)).with_context(unreadable)?;
        let length = file.read(&mut piece).with_context(unreadable)?;
        if length == 0 {
            bail!("{} became shorter while it was sent", path.display());
        }
        let body = piece.get(..length).unwrap_or_default().to_vec();
        let sent = answer(http.put(format!("{uploads}/{id}?offset={offset}")).body(body)).await;
        offset = match sent {
            Ok(standing) => {
                (tries, pause) = (0, PAUSE);
                standing.get("offset").and_then(Value::as_u64).unwrap_or(bytes)
            }
            Err(error) if error.is::<Refused>() || tries >= TRIES_MAX => return Err(error),
            Err(error) => {
                output::notice(&format!("{error:#}: trying again"));
                tokio::time::sleep(pause).await;
                (tries, pause) = (tries + 1, pause * 2);
                standing(http, uploads, &id).await.unwrap_or(offset)
            }
        };
    }
    progress.end();
    Ok(id)
}

/// How many bytes of an upload arrived.
async fn standing(http: &Http, uploads: &str, id: &str) -> Option<u64> {
    let standing = answer(http.get(format!("{uploads}/{id}"))).await.ok()?;
    standing.get("offset")?.as_u64()
}

/// The server's answer, or why it refused.
async fn answer(request: RequestBuilder) -> anyhow::Result<Value> {
    let response = request.send().await.context("the server cannot be reached")?;
    let status = response.status();
    let text = response.text().await.context("the server's answer broke off")?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let message = match answer.get("error").or_else(|| answer.pointer("/errors/0/message")).and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => format!("the server answered {status}"),
    };
    if status.is_client_error() { Err(Refused(message).into()) } else { bail!("{message}") }
}
