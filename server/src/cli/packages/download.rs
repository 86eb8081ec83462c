//! A file over HTTP: on from where it broke off, within its bound, and with the digest that it must have.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, StatusCode, header};
use timeloom_inference::models::Digest;
use url::Url;

use super::super::client::Refused;
use super::super::output;
use super::super::progress::Progress;

/// How often it is tried again when the connection breaks.
const TRIES_MAX: u32 = 5;
/// Pause before the second try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);

/// What to do when there is no network.
pub(super) fn hint() -> &'static str {
    "is there internet here? PIP_INDEX_URL or pip's configuration names another registry"
}

/// Fetches `url` to `path`, which gets that name when the digest is right.
///
/// # Errors
/// When it cannot be fetched, is too large, or has another digest.
pub(super) async fn download(
    http: &Client,
    url: &Url,
    path: &Path,
    digest: &Digest,
    bytes_max: u64,
) -> anyhow::Result<()> {
    if path.is_file() && Digest::of_all(File::open(path)?)?.0 == *digest {
        return Ok(());
    }
    let part = path.with_extension("part");
    let (mut tries, mut pause) = (0, PAUSE);
    let mut progress = Progress::of_bytes();
    loop {
        match piece(http, url, &part, bytes_max, &mut progress).await {
            Ok(()) => break,
            Err(error) if error.is::<Refused>() || tries >= TRIES_MAX => {
                progress.end();
                return Err(error);
            }
            Err(error) => {
                output::notice(&format!("{error:#}: trying again"));
                tokio::time::sleep(pause).await;
                (tries, pause) = (tries + 1, pause * 2);
            }
        }
    }
    progress.end();
    let found = Digest::of_all(File::open(&part)?)?.0;
    if found != *digest {
        // What is wrong is not gone on from.
        std::fs::remove_file(&part)?;
        let what = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let why = format!("{what} has the SHA-256 {found}, it must have {digest}: it is not what was asked for");
        return Err(Refused(why).into());
    }
    Ok(std::fs::rename(&part, path)?)
}

/// Goes on with a file from the bytes of it that are there.
async fn piece(http: &Client, url: &Url, part: &Path, bytes_max: u64, progress: &mut Progress) -> anyhow::Result<()> {
    let host = url.host_str().unwrap_or_default();
    let broken = || format!("the download from {host} broke off: {}", hint());
    let mut there = part.metadata().map_or(0, |found| found.len());
    let mut request = http.get(url.clone());
    if there > 0 {
        request = request.header(header::RANGE, format!("bytes={there}-"));
    }
    let mut response = request.send().await.map_err(reqwest::Error::without_url).with_context(broken)?;
    let mut file = match response.status() {
        StatusCode::PARTIAL_CONTENT => OpenOptions::new().append(true).open(part)?,
        // All of it was there already.
        StatusCode::RANGE_NOT_SATISFIABLE if there > 0 => return Ok(()),
        StatusCode::OK => {
            there = 0;
            File::create(part)?
        }
        status if status.is_client_error() => {
            return Err(Refused(format!("{host} has no such file: it answered {status}")).into());
        }
        status => bail!("{host} answered {status}"),
    };
    let all = response.content_length().map_or(bytes_max, |rest| rest.saturating_add(there));
    loop {
        if there > bytes_max || all > bytes_max {
            drop(file);
            std::fs::remove_file(part)?;
            return Err(
                Refused(format!("what {host} sends has more than {bytes_max} bytes, which is the most here")).into()
            );
        }
        progress.show("fetching", there, all);
        match response.chunk().await.map_err(reqwest::Error::without_url).with_context(broken)? {
            Some(bytes) => {
                file.write_all(&bytes)?;
                there += bytes.len() as u64;
            }
            None if there < all && response.content_length().is_some() => bail!("{}", broken()),
            None => return Ok(file.sync_all()?),
        }
    }
}
