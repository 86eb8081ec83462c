//! What models say of themselves: words in their files, and small texts beside them.
//!
//! A file never changes once it has its name, so what was read of it is kept. Bounded: so many models, so many bytes of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_inference::validate::{self, Limits};

/// Most models whose words are kept.
const CARDS_MAX: usize = 64;
/// Longest text beside a model that is read, in bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// How the names of texts beside models end.
const TEXTS: [&str; 4] = [".json", ".txt", ".yaml", ".yml"];

type Card = BTreeMap<String, String>;

/// The words of models that were read.
#[derive(Debug, Default)]
pub(super) struct Cards {
    by_path: Mutex<Vec<(PathBuf, Arc<Card>)>>,
}

impl Cards {
    /// What a model's file says of itself, and the texts beside it by their names. A file that cannot be read says nothing.
    pub(super) async fn about(&self, path: PathBuf, beside: Vec<String>) -> Card {
        if let Some(known) = self.known(&path) {
            return (*known).clone();
        }
        let of = path.clone();
        let read = tokio::task::spawn_blocking(move || read(&of, &beside)).await;
        let card = match read {
            Ok(Ok(card)) => card,
            Ok(Err(error)) => {
                tracing::warn!(%error, path = %path.display(), "what a model says of itself cannot be read");
                return Card::new();
            }
            Err(_) => return Card::new(),
        };
        let mut cards = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        if cards.len() >= CARDS_MAX {
            cards.remove(0);
        }
        cards.push((path, Arc::new(card.clone())));
        card
    }

    fn known(&self, path: &Path) -> Option<Arc<Card>> {
        let cards = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        cards.iter().find(|(of, _)| of == path).map(|(_, card)| Arc::clone(card))
    }
}

fn read(path: &Path, beside: &[String]) -> io::Result<Card> {
    let mut card = validate::check(path, &Limits::default())?.map(|model| model.metadata).unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new("."));
    for name in beside.iter().filter(|name| TEXTS.iter().any(|ending| name.ends_with(ending))) {
        let mut text = String::new();
        let content = File::open(folder.join(name))?;
        if content.metadata()?.len() <= TEXT_BYTES_MAX && content.take(TEXT_BYTES_MAX).read_to_string(&mut text).is_ok()
        {
            card.insert(name.clone(), text);
        }
    }
    Ok(card)
}
