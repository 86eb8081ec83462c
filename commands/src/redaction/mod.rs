//! Hides the values of credentials in what comes back from where they were used.
//!
//! A service may echo what it was sent, a database may put a password into its error. Whoever gives a credential out
//! notes its secret texts in [`SecretTexts`]; what comes back is searched for them, as they are and in the usual encodings,
//! and a mark with the credential's name takes their place. Never keeps a secret longer than the run that it was given
//! to, and shows none. Invariant: where nothing was noted, nothing is searched and nothing is copied.

mod finder;
mod forms;
mod passage;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_domain::credential::{CredentialTexts, NAME_CHARACTERS_MAX, texts_of};
use timeloom_domain::item::JsonObject;
use zeroize::Zeroizing;

pub use self::finder::Finder;
use self::forms::Searched;
pub use self::passage::Passage;

/// Fewest characters of a text that is searched for: shorter ones are in too much that has nothing to do with them.
pub const SECRET_CHARACTERS_MIN: usize = 6;
/// Most texts that are searched for in one run; the first are.
const SECRETS_MAX: usize = 1_000;
/// Fewest characters of a line that is searched for by itself, of a secret that has several.
const LINE_CHARACTERS_MIN: usize = 16;
/// Most characters of a word before a secret that says what it is: `Bearer`.
const SCHEME_CHARACTERS_MAX: usize = 12;

/// Secrets that one run was given. Clones are of the same run, so that what is given out later is hidden as well.
#[derive(Clone, Default)]
pub struct SecretTexts {
    noted: OnceLock<Arc<Mutex<Noted>>>,
}

#[derive(Default)]
struct Noted {
    texts: Vec<Secret>,
    /// What finds them, made when it is first needed.
    finder: Option<Arc<Finder>>,
}

/// One text that nobody may see.
struct Secret {
    text: Zeroizing<String>,
    /// What stands in its place.
    mark: Arc<str>,
    searched: Searched,
}

impl fmt::Debug for SecretTexts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretTexts").finish_non_exhaustive()
    }
}

impl SecretTexts {
    /// Notes the secret texts of a credential of that name.
    pub fn note_credential(&self, name: &str, credential_type: &str, fields: &JsonObject) {
        let CredentialTexts { secret, open } = texts_of(credential_type, fields);
        for secret in secret.into_iter().map(Zeroizing::new) {
            self.note(name, &secret);
            // As a header has them that proves who asks.
            for open in open.iter().filter(|open| open.chars().count() <= NAME_CHARACTERS_MAX) {
                let pair = Zeroizing::new(format!("{open}:{}", *secret));
                self.insert(name, &STANDARD.encode(pair.as_bytes()), Searched::AsItIs);
            }
        }
    }

    /// Notes one text: of the credential of that name, or made with it, such as a token.
    pub fn note(&self, name: &str, secret: &str) {
        let secret = secret.trim();
        self.insert(name, secret, Searched::InEveryForm);
        if let Some((scheme, proof)) = secret.split_once(' ')
            && scheme.len() <= SCHEME_CHARACTERS_MAX
            && scheme.bytes().all(|letter| letter.is_ascii_alphabetic())
        {
            self.insert(name, proof.trim(), Searched::InEveryForm);
            self.note_password(name, proof.trim());
        }
        for line in secret.lines().map(str::trim).filter(|_| secret.contains('\n')) {
            if line.chars().count() >= LINE_CHARACTERS_MIN && !line.starts_with("-----") {
                self.insert(name, line, Searched::AsItIs);
            }
        }
    }

    /// Notes the password of a pair that is written in base64.
    fn note_password(&self, name: &str, proof: &str) {
        let pair = STANDARD.decode(proof).ok().and_then(|pair| String::from_utf8(pair).ok()).map(Zeroizing::new);
        if let Some((_, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            self.insert(name, password, Searched::InEveryForm);
        }
    }

    fn insert(&self, name: &str, text: &str, searched: Searched) {
        if text.chars().count() < SECRET_CHARACTERS_MIN {
            return;
        }
        let noted = self.noted.get_or_init(Arc::default);
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = noted.texts.len() >= SECRETS_MAX;
        match noted.texts.iter_mut().find(|known| *known.text == text) {
            Some(known) if known.searched >= searched => return,
            Some(known) => known.searched = searched,
            None if is_full => return,
            None => noted.texts.push(Secret { text: Zeroizing::new(text.to_owned()), mark: mark(name), searched }),
        }
        noted.finder = None;
    }

    /// What finds the secrets that were noted by now; `None` when there are none.
    pub fn finder(&self) -> Option<Arc<Finder>> {
        let mut noted = self.noted.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.finder.is_none() && !noted.texts.is_empty() {
            noted.finder = Some(Arc::new(Finder::new(&noted.texts)));
        }
        noted.finder.clone()
    }

    /// The same secrets, shared: what either notes from now on, both have.
    pub fn shared(&self) -> Self {
        self.noted.get_or_init(Arc::default);
        self.clone()
    }
}

/// What stands in place of a secret of the credential of that name.
fn mark(name: &str) -> Arc<str> {
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(NAME_CHARACTERS_MAX).collect();
    Arc::from(format!("[secret of \"{name}\"]"))
}

#[cfg(test)]
mod tests;
