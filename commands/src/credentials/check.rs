//! Whether the keys that are there are those with which credentials were sealed, told before anybody misses one.
//!
//! Looks at names of keys, and opens one seal of each to see that it does. Never refuses anything itself, and tells no
//! value. Invariant: a credential that does not open is told and keeps no other from being looked at.

use std::collections::{BTreeMap, BTreeSet};

use timeloom_domain::credential::CredentialEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{CredentialId, TenantId};
use timeloom_store::{Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, TenantScope, codec};

use super::{CredentialError, Credentials};

/// Newest events of credentials that are looked at.
const CHECKED_EVENTS_MAX: usize = 10_000;

/// Which keys there are, and which are needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyCheck {
    /// Where keys are looked for.
    pub place: String,
    /// Fingerprints of the keys that are there; the last one seals.
    pub there: Vec<String>,
    /// Fingerprints of the keys under which credentials are sealed, and how many under each.
    pub needed: BTreeMap<String, u64>,
    /// Why a credential does not open although its key is there.
    pub broken: Vec<String>,
}

impl KeyCheck {
    /// Keys that are needed and not there.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.needed.keys().map(String::as_str).filter(|key| !self.there.iter().any(|there| there == key))
    }

    /// Whether credentials are sealed and no key that is there opens any of them: these are the keys of something else.
    pub fn is_of_something_else(&self) -> bool {
        !self.needed.is_empty() && self.missing().count() == self.needed.len()
    }

    /// What is missing, in words; `None` when nothing is.
    pub fn message(&self) -> Option<String> {
        let missing: Vec<String> =
            self.missing().map(|key| format!("{key} ({} credentials)", self.needed.get(key).unwrap_or(&0))).collect();
        if missing.is_empty() {
            return None;
        }
        let there = if self.there.is_empty() { "no key".to_owned() } else { format!("key {}", self.there.join(", ")) };
        Some(format!(
            "credentials are sealed with key {} and {} has {there}: bring the missing key back from its copy, as a \
             further line, or save these credentials again",
            missing.join(", "),
            self.place
        ))
    }
}

impl Credentials {
    /// Compares the keys that are there with those that credentials of all tenants need.
    ///
    /// # Errors
    /// When the keys or the log cannot be read.
    pub async fn check_keys(&self) -> Result<KeyCheck, CredentialError> {
        let keys = self.keys.keys()?;
        let there: Vec<String> = keys.iter().map(|key| key.fingerprint().to_owned()).collect();
        let mut check = KeyCheck { place: self.keys.place(), there, ..KeyCheck::default() };
        for (tenant, id, key) in self.newest_seals().await? {
            let count = check.needed.entry(key.clone()).or_default();
            *count += 1;
            if *count > 1 || keys.find(&key).is_none() {
                continue;
            }
            let credential = self.current(tenant, id).await?;
            if let Some(sealed) = &credential.sealed
                && let Err(error) = self.open(&keys, (tenant, id), &credential, sealed)
            {
                check.broken.push(error.to_string());
            }
        }
        Ok(check)
    }

    /// The key of each credential, from its newest event.
    async fn newest_seals(&self) -> Result<Vec<(TenantId, CredentialId, String)>, LogError> {
        let filter = Filter { categories: vec![CredentialEvent::CATEGORY.into()], ..Filter::default() };
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let (mut up_to, mut looked_at) = (self.commands.inner.log.head(), 0);
        while looked_at < CHECKED_EVENTS_MAX && up_to > Position::START {
            let log = &self.commands.inner.log;
            let page = log.read_all(TenantScope::All, up_to, Direction::Backward, &filter, READ_EVENTS_MAX).await?;
            looked_at += page.len();
            for event in &page {
                up_to = Position(event.position.0.saturating_sub(1));
                if seen.insert(event.stream.clone())
                    && let Some((id, key)) = sealed_by(event)
                {
                    found.push((event.stream.tenant, id, key));
                }
            }
            if page.len() < READ_EVENTS_MAX {
                break;
            }
        }
        Ok(found)
    }
}

/// The key of what an event sealed. What this build does not know is passed over: it says so when it is used.
fn sealed_by(event: &RecordedEvent) -> Option<(CredentialId, String)> {
    let id = event.stream.id.parse::<CredentialId>().ok()?;
    match codec::decode::<CredentialEvent>(event).ok()? {
        CredentialEvent::CredentialSaved { sealed, .. } | CredentialEvent::CredentialResealed { sealed } => {
            Some((id, sealed.key))
        }
        CredentialEvent::CredentialDeleted {} => None,
    }
}
