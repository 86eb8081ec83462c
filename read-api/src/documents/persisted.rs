//! Documents that are named in place of being sent: those that a deployment trusts, and those that clients left here.
//!
//! Invariant: a name that is a hash is the SHA-256 of its document, checked when the document comes.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Longest document that clients may leave here, in bytes. Longer ones are run and not kept.
const PERSISTED_BYTES_MAX: usize = 64 << 10;

/// SHA-256 of a document, in lower-case hexadecimal.
pub(crate) fn hash_of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hash, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// The only documents that a deployment runs, by their names and by their hashes.
#[derive(Debug, Clone, Default)]
pub struct TrustedDocuments {
    by_name: Arc<HashMap<String, Arc<str>>>,
}

/// The file of trusted documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustedDocumentsError {
    /// It is not JSON of one of the known shapes.
    #[error(
        "it is no list of documents ({0}): write an object of names and documents, or the manifest that a client's compiler makes"
    )]
    Unreadable(#[from] serde_json::Error),
    /// Two documents have one name.
    #[error("the name '{0}' stands for two documents: names must differ")]
    NameTaken(String),
}

/// The manifest that Apollo's tools make.
#[derive(Deserialize)]
struct Manifest {
    operations: Vec<ManifestOperation>,
}

#[derive(Deserialize)]
struct ManifestOperation {
    id: String,
    body: String,
}

impl TrustedDocuments {
    /// Reads a JSON object of names and documents, as Relay's and the code generators' compilers write it, or a manifest
    /// with `operations` that have an `id` and a `body`.
    ///
    /// # Errors
    /// [`TrustedDocumentsError`].
    pub fn from_json(text: &str) -> Result<Self, TrustedDocumentsError> {
        let value: Value = serde_json::from_str(text)?;
        let named: Vec<(String, String)> = if value.get("operations").is_some_and(Value::is_array) {
            let manifest: Manifest = serde_json::from_value(value)?;
            manifest.operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
        } else {
            serde_json::from_value::<HashMap<String, String>>(value)?.into_iter().collect()
        };
        let mut by_name: HashMap<String, Arc<str>> = HashMap::with_capacity(named.len() * 2);
        for (name, document) in named {
            let document: Arc<str> = Arc::from(document);
            for name in [hash_of(&document), name] {
                let before = by_name.insert(name.clone(), Arc::clone(&document));
                if before.is_some_and(|before| before != document) {
                    return Err(TrustedDocumentsError::NameTaken(name));
                }
            }
        }
        Ok(Self { by_name: Arc::new(by_name) })
    }

    /// The document of that name or hash.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<str>> {
        self.by_name.get(name).map(Arc::clone)
    }
}

/// Documents that clients left here. The oldest make room.
#[derive(Debug)]
pub(super) struct Persisted {
    kept_max: usize,
    by_hash: HashMap<String, Arc<str>>,
    oldest: VecDeque<String>,
}

impl Persisted {
    pub fn new(kept_max: usize) -> Self {
        Self { kept_max, by_hash: HashMap::new(), oldest: VecDeque::new() }
    }

    pub fn get(&self, hash: &str) -> Option<Arc<str>> {
        self.by_hash.get(hash).map(Arc::clone)
    }

    /// Keeps a document whose hash was checked.
    pub fn keep(&mut self, hash: String, document: &str) {
        if document.len() > PERSISTED_BYTES_MAX || self.by_hash.contains_key(&hash) {
            return;
        }
        while self.oldest.len() >= self.kept_max {
            let Some(oldest) = self.oldest.pop_front() else { break };
            self.by_hash.remove(&oldest);
        }
        self.oldest.push_back(hash.clone());
        self.by_hash.insert(hash, Arc::from(document));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_usual_one() {
        assert_eq!(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn both_shapes_of_lists_are_read_and_found_by_name_and_hash() {
        let plain = TrustedDocuments::from_json(r#"{"one": "{ head { position } }"}"#).unwrap();
        let manifest = r#"{"format": "apollo-persisted-query-manifest", "version": 1,
            "operations": [{"id": "one", "name": "Head", "type": "query", "body": "{ head { position } }"}]}"#;
        let manifest = TrustedDocuments::from_json(manifest).unwrap();
        for documents in [plain, manifest] {
            let document = documents.get("one").unwrap();
            assert_eq!(&*document, "{ head { position } }");
            assert_eq!(documents.get(&hash_of(&document)), Some(document));
            assert_eq!(documents.get("two"), None);
        }
    }

    #[test]
    fn other_files_are_refused_in_words() {
        for text in ["", "[]", "{\"a\": 1}", "{\"operations\": [{\"id\": \"a\"}]}"] {
            let error = TrustedDocuments::from_json(text).unwrap_err().to_string();
            assert!(error.contains("names and documents"), "{text}: {error}");
        }
    }

    #[test]
    fn the_oldest_document_makes_room() {
        let mut persisted = Persisted::new(2);
        for text in ["a", "b", "b", "c"] {
            persisted.keep(hash_of(text), text);
        }
        assert_eq!(persisted.get(&hash_of("a")), None);
        assert_eq!(persisted.get(&hash_of("b")).as_deref(), Some("b"));
        assert_eq!(persisted.get(&hash_of("c")).as_deref(), Some("c"));
        persisted.keep(hash_of("long"), &"x".repeat(PERSISTED_BYTES_MAX + 1));
        assert_eq!(persisted.get(&hash_of("long")), None);
    }
}
