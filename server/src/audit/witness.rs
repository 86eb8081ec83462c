//! Who is told every checkpoint: with somebody outside who keeps them, nobody can show two histories.
//!
//! Invariant: of an answer no more is read than [`ANSWER_BYTES_MAX`], and nothing but cosignatures is kept of it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use timeloom_engine::node::OutboundPolicy;
use timeloom_store::proofs::StoredCheckpoint;
use timeloom_verify::checkpoint::is_cosignature;
use timeloom_verify::note::{NOTE_SIGNATURES_MAX, Note, NoteSignature};
use url::Url;

/// Largest answer of a witness, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Longest time that a witness may take.
const WITNESS_TIME_MAX: Duration = Duration::from_secs(10);

/// Who is told checkpoints.
#[derive(Debug, Clone)]
pub enum Witness {
    /// A folder, in which each becomes a file.
    Folder(PathBuf),
    /// An address, to which each is sent.
    Http(Url, Client),
}

/// Never shows what may be a secret in an address.
impl fmt::Display for Witness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Http(url, _) => formatter.write_str(url.host_str().unwrap_or_default()),
        }
    }
}

impl Witness {
    /// Reads a witness as people write it.
    ///
    /// # Errors
    /// When it is an address that may not be reached.
    pub fn parse(text: &str, outbound: &OutboundPolicy) -> anyhow::Result<Self> {
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let url = Url::parse(text).context("a witness is a folder, or an http:// or https:// address")?;
        let client = timeloom_nodes::client_for(&url, outbound)
            .map_err(|error| anyhow::anyhow!("the witness cannot be reached: {error}; see --allow-private-hosts"))?;
        Ok(Self::Http(url, client))
    }

    /// Tells a checkpoint. What the witness answers; a folder answers nothing.
    ///
    /// # Errors
    /// When it was not told, or took longer than [`WITNESS_TIME_MAX`].
    pub async fn tell(&self, checkpoint: &StoredCheckpoint) -> anyhow::Result<String> {
        match self {
            Self::Folder(folder) => {
                tokio::fs::create_dir_all(folder).await?;
                let file = folder.join(format!("{:012}.note", checkpoint.size));
                let next = file.with_extension("next");
                tokio::fs::write(&next, &checkpoint.note).await?;
                tokio::fs::rename(&next, &file).await?;
                Ok(String::new())
            }
            Self::Http(url, client) => {
                let told = send(client, url, &checkpoint.note);
                tokio::time::timeout(WITNESS_TIME_MAX, told).await.context("it took too long")?
            }
        }
    }
}

async fn send(client: &Client, url: &Url, note: &str) -> anyhow::Result<String> {
    let request = client.post(url.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(note.to_owned());
    // The address may have a secret in it.
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status();
    if !status.is_success() {
        bail!("it answered {status}");
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            bail!("its answer has more than {ANSWER_BYTES_MAX} bytes");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The note with the cosignatures of an answer that it does not have yet; `None` when there are none.
pub(super) fn cosigned(note: &str, answer: &str) -> Option<String> {
    let mut note = Note::parse(note).ok()?;
    let before = note.signatures.len();
    for line in answer.lines().filter_map(NoteSignature::parse).filter(is_cosignature) {
        let is_known = note.signatures.iter().any(|known| (&known.name, known.key_id) == (&line.name, line.key_id));
        if !is_known && note.signatures.len() < NOTE_SIGNATURES_MAX {
            note.signatures.push(line);
        }
    }
    (note.signatures.len() > before).then(|| note.to_string())
}

#[cfg(test)]
mod tests {
    use timeloom_verify::checkpoint::Checkpoint;
    use timeloom_verify::key::{PrivateKey, Validity};

    use super::*;

    #[test]
    fn of_an_answer_cosignatures_are_kept_once_and_nothing_else() {
        let key = PrivateKey::from_seed("timeloom/one", &[1; 32], Validity::default()).unwrap();
        let checkpoint = Checkpoint { origin: key.name().to_owned(), size: 1, root: [2; 32], recorded_at_us: 3 };
        let note = checkpoint.signed(std::slice::from_ref(&key)).to_string();
        let line = NoteSignature { name: "witness".to_owned(), key_id: [1; 4], signature: vec![7; 72] }.to_string();
        let other = checkpoint.signed(&[key]).signatures[0].to_string();
        let answer = format!("{line}\n{line}\nhello\n{other}\n");
        let cosigned = cosigned(&note, &answer).unwrap();
        assert_eq!(cosigned, format!("{note}{line}\n"));
        assert_eq!(super::cosigned(&cosigned, &answer), None);
    }
}
