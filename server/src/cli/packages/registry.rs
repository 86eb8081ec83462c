//! The Python registry: where it is, as pip is configured, and where a package's file is in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::{Certificate, Client, Response, header};
use serde::Deserialize;
use timeloom_inference::models::Digest;
use url::Url;

use super::super::client::Refused;
use super::download::{download, hint};
use crate::config::Config;

/// Where packages are, unless pip is configured otherwise.
const INDEX: &str = "https://pypi.org/simple";
/// What is asked for: JSON, or HTML where a registry has none.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";
/// Most bytes of a list of files.
const LIST_BYTES_MAX: usize = 32 << 20;
/// Most bytes of a file of pip's configuration.
const CONFIGURATION_BYTES_MAX: u64 = 64 << 10;
/// How long a connection may take, and how long nothing may come.
const CONNECT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_secs(60);

/// A package's file that is wanted.
pub(super) struct Wanted {
    /// The package's name.
    pub project: String,
    /// Its version.
    pub version: String,
    /// What its file is called; absent where any of that version will do that is for all machines.
    pub file: Option<String>,
    /// The digest that it must have; absent where the one will do that the registry says.
    pub sha256: Option<Digest>,
    /// Most bytes of it.
    pub bytes_max: u64,
}

/// The registry.
pub(super) struct Registry {
    index: Url,
    http: Client,
}

/// A file as the registry lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    name: String,
    url: Url,
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    files: Vec<AnsweredFile>,
}

#[derive(Deserialize)]
struct AnsweredFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

impl Registry {
    /// The registry that pip is configured for.
    ///
    /// # Errors
    /// When its address is none, or its certificates cannot be read.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let pip = &config.model;
        let files = configuration_files(pip.pip_config_file.as_deref(), pip.home.as_deref());
        let said = |name: &str| files.iter().find_map(|file| setting(&read(file), name));
        let index = pip.pip_index_url.clone().or_else(|| said("index-url")).unwrap_or_else(|| INDEX.to_owned());
        let index = format!("{}/", index.trim_end_matches('/'));
        let index: Url = index.parse().map_err(|_| anyhow!("the address of the registry that pip has is none"))?;
        let mut http = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).no_gzip();
        if let Some(path) = pip.pip_cert.clone().or_else(|| said("cert").map(PathBuf::from)) {
            let unread = || format!("the certificates {} that pip is configured with cannot be read", path.display());
            let pem = std::fs::read(&path).with_context(unread)?;
            for certificate in Certificate::from_pem_bundle(&pem).with_context(unread)? {
                http = http.add_root_certificate(certificate);
            }
        }
        Ok(Self { index, http: http.build().context("no HTTP client could be made")? })
    }

    /// Fetches a package's file into the folder of caches; the path of it, which has the digest that it must have.
    ///
    /// # Errors
    /// When there is none, the network fails, or the digest is another.
    pub(super) async fn fetch(&self, wanted: &Wanted, cache: &Path) -> anyhow::Result<PathBuf> {
        let Wanted { project, version, .. } = wanted;
        let files = self.files(project).await?;
        let found = choose(&files, wanted).ok_or_else(|| {
            Refused(format!("the registry has no file of {project} {version} that is for every machine"))
        })?;
        let said = found.sha256.as_deref().and_then(|digest| digest.parse::<Digest>().ok());
        let digest = wanted.sha256.clone().or(said);
        let digest = digest.ok_or_else(|| Refused(format!("the registry says no SHA-256 of {}", found.name)))?;
        let folder = cache.join("timeloom/packages/.fetching");
        std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        download(&self.http, &found.url, &folder.join(digest.as_str()), &digest, wanted.bytes_max).await?;
        Ok(folder.join(digest.as_str()))
    }

    async fn files(&self, project: &str) -> anyhow::Result<Vec<Listed>> {
        let url = self.index.join(&format!("{}/", normal(project)))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let unreachable = || format!("the registry at {host} cannot be reached: {}", hint());
        let sent = self.http.get(url).header(header::ACCEPT, ACCEPT).send().await.map_err(reqwest::Error::without_url);
        let response = sent.with_context(unreachable)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Err(Refused(format!("the registry at {host} has no package '{project}'")).into());
        }
        if !response.status().is_success() {
            bail!("the registry at {host} answered {}", response.status());
        }
        let (base, html) = (response.url().clone(), is_html(&response));
        let text = text(response).await.with_context(unreachable)?;
        if html { Ok(anchors(&text, &base)) } else { listed(&text, &base) }
    }
}

/// The files of an answer in JSON.
fn listed(text: &str, base: &Url) -> anyhow::Result<Vec<Listed>> {
    let answer: Answer = serde_json::from_str(text).context("the registry's answer cannot be read")?;
    let one = |file: AnsweredFile| {
        let url = base.join(&file.url).ok()?;
        Some(Listed { name: file.filename, url, sha256: file.hashes.get("sha256").cloned() })
    };
    Ok(answer.files.into_iter().filter_map(one).collect())
}

/// The files of an answer in HTML: what its links lead to.
fn anchors(text: &str, base: &Url) -> Vec<Listed> {
    let links = text.split("<a ").skip(1).filter_map(|anchor| {
        let link = anchor.split_once("href=\"")?.1.split_once('"')?.0.replace("&amp;", "&");
        let mut url = base.join(&link).ok()?;
        let sha256 = url.fragment().and_then(|fragment| fragment.strip_prefix("sha256=")).map(str::to_owned);
        url.set_fragment(None);
        let name = url.path_segments()?.next_back()?.to_owned();
        Some(Listed { name, url, sha256 })
    });
    links.collect()
}

fn choose<'l>(files: &'l [Listed], wanted: &Wanted) -> Option<&'l Listed> {
    let named = |file: &&Listed| match &wanted.file {
        Some(name) => file.name == *name,
        None => {
            let stem = file.name.strip_suffix("-none-any.whl").unwrap_or_default();
            let mut parts = stem.split('-');
            parts.next().is_some_and(|name| normal(name) == normal(&wanted.project))
                && parts.next() == Some(wanted.version.as_str())
        }
    };
    files.iter().find(named)
}

/// A package's name as registries compare it.
fn normal(project: &str) -> String {
    let parts: Vec<&str> = project.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("html"))
}

async fn text(mut response: Response) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if bytes.len() + piece.len() > LIST_BYTES_MAX {
            bail!("the registry's answer has more than {LIST_BYTES_MAX} bytes");
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(bytes)?)
}

/// The files of pip's configuration, the one that decides first.
fn configuration_files(named: Option<&Path>, home: Option<&Path>) -> Vec<PathBuf> {
    let of_home = home.into_iter().flat_map(|home| [home.join(".config/pip/pip.conf"), home.join(".pip/pip.conf")]);
    named.map(Path::to_path_buf).into_iter().chain(of_home).chain([PathBuf::from("/etc/pip.conf")]).collect()
}

/// A file of a configuration, as much of it as is read; nothing where there is none.
fn read(path: &Path) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    if let Ok(file) = std::fs::File::open(path) {
        // One that cannot be read says nothing.
        let _ = file.take(CONFIGURATION_BYTES_MAX).read_to_string(&mut text);
    }
    text
}

/// What a configuration says by a name, for everything that pip does or for its downloads.
fn setting(text: &str, name: &str) -> Option<String> {
    let mut section = "";
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(begun) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = begun.trim();
        } else if let Some((key, value)) = line.split_once(['=', ':'])
            && ["global", "download"].contains(&section)
            && key.trim() == name
            && !value.trim().is_empty()
        {
            found = Some(value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_configuration_says_where_packages_are() {
        let text =
            "# mine\n[install]\nindex-url = http://no/\n[global]\ncert=/c.pem\nindex-url = https://mirror/simple/\n";
        assert_eq!(setting(text, "index-url").as_deref(), Some("https://mirror/simple/"));
        assert_eq!(setting(text, "cert").as_deref(), Some("/c.pem"));
        assert_eq!(setting(text, "proxy"), None);
    }

    #[test]
    fn a_file_is_found_in_both_kinds_of_lists() {
        let base: Url = "https://host/simple/a-b/".parse().unwrap();
        let html =
            anchors("<a href=\"../../files/A_b-1.0-py3-none-any.whl#sha256=00\">x</a><a href=\"y.tar.gz\">", &base);
        let json = r#"{"files":[{"filename":"A_b-1.0-py3-none-any.whl","url":"/files/A_b-1.0-py3-none-any.whl","hashes":{"sha256":"00"}}]}"#;
        let wanted = Wanted { project: "a.B".into(), version: "1.0".into(), file: None, sha256: None, bytes_max: 1 };
        for files in [html, listed(json, &base).unwrap()] {
            let found = choose(&files, &wanted).unwrap();
            assert_eq!(found.url.as_str(), "https://host/files/A_b-1.0-py3-none-any.whl");
            assert_eq!(found.sha256.as_deref(), Some("00"));
            assert!(choose(&files, &Wanted { version: "1".into(), ..copy(&wanted) }).is_none());
        }
    }

    fn copy(wanted: &Wanted) -> Wanted {
        Wanted { project: wanted.project.clone(), version: String::new(), file: None, sha256: None, bytes_max: 1 }
    }
}
