//! Whether the keys that are there are those with which credentials and passwords were sealed, told before anybody misses
//! one.
//!
//! Looks at names of keys, and opens one seal of each to see that it does. Never refuses anything itself, and tells no
//! value. Invariant: a credential that does not open is told and keeps no other from being looked at.

use std::collections::{BTreeMap, BTreeSet};

use timeloom_domain::account::AccountEvent;
use timeloom_domain::credential::CredentialEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{CredentialId, TenantId};
use timeloom_store::{Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, TenantScope, codec};

use super::{CredentialError, Credentials};

/// Newest events of credentials and passwords that are looked at.
const CHECKED_EVENTS_MAX: usize = 10_000;

/// Events that seal something or take it away.
const SEALING_EVENTS: [&str; 6] = [
    "CredentialSaved",
    "CredentialResealed",
    "CredentialDeleted",
    "PasswordSet",
    "PasswordResealed",
    "PasswordRemoved",
];

/// What is sealed under one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needed {
    /// Credentials.
    pub credentials: u64,
    /// Passwords of accounts.
    pub passwords: u64,
}

/// Which keys there are, and which are needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyCheck {
    /// Where keys are looked for.
    pub place: String,
    /// Fingerprints of the keys that are there; the last one seals.
    pub there: Vec<String>,
    /// Fingerprints of the keys under which something is sealed, and what.
    pub needed: BTreeMap<String, Needed>,
    /// Why a credential does not open although its key is there.
    pub broken: Vec<String>,
}

impl KeyCheck {
    /// Keys that are needed and not there.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.needed.keys().map(String::as_str).filter(|key| !self.there.iter().any(|there| there == key))
    }

    /// Whether something is sealed and no key that is there opens any of it: these are the keys of something else.
    pub fn is_of_something_else(&self) -> bool {
        !self.needed.is_empty() && self.missing().count() == self.needed.len()
    }

    /// What is missing, in words; `None` when nothing is.
    pub fn message(&self) -> Option<String> {
        let told = |key: &str| {
            let Needed { credentials, passwords } = self.needed.get(key).copied().unwrap_or_default();
            let counts = [(credentials, "credentials"), (passwords, "passwords")];
            let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
            format!("{key} ({})", counts.collect::<Vec<_>>().join(", "))
        };
        let missing: Vec<String> = self.missing().map(told).collect();
        if missing.is_empty() {
            return None;
        }
        let there = if self.there.is_empty() { "no key".to_owned() } else { format!("key {}", self.there.join(", ")) };
        Some(format!(
            "credentials or passwords are sealed with key {} and {} has {there}: bring the missing key back from its copy, \
             as a further line, or save these credentials and set these passwords again",
            missing.join(", "),
            self.place
        ))
    }
}

/// What an event sealed.
struct Seal {
    tenant: TenantId,
    /// The credential; `None` for a password.
    credential: Option<CredentialId>,
    key: String,
}

impl Credentials {
    /// Compares the keys that are there with those that credentials and passwords of all tenants need.
    ///
    /// # Errors
    /// When the keys or the log cannot be read.
    pub async fn check_keys(&self) -> Result<KeyCheck, CredentialError> {
        let keys = self.keys.keys()?;
        let there: Vec<String> = keys.iter().map(|key| key.fingerprint().to_owned()).collect();
        let mut check = KeyCheck { place: self.keys.place(), there, ..KeyCheck::default() };
        for Seal { tenant, credential, key } in self.newest_seals().await? {
            let needed = check.needed.entry(key.clone()).or_default();
            let Some(id) = credential else {
                needed.passwords += 1;
                continue;
            };
            needed.credentials += 1;
            if needed.credentials > 1 || keys.find(&key).is_none() {
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

    /// What each credential and each password is sealed with, from its newest event.
    async fn newest_seals(&self) -> Result<Vec<Seal>, LogError> {
        let filter = Filter {
            categories: vec![CredentialEvent::CATEGORY.into(), AccountEvent::CATEGORY.into()],
            event_types: SEALING_EVENTS.map(Into::into).into(),
            ..Filter::default()
        };
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        let (mut up_to, mut looked_at) = (self.commands.inner.log.head(), 0);
        while looked_at < CHECKED_EVENTS_MAX && up_to > Position::START {
            let log = &self.commands.inner.log;
            let page = log.read_all(TenantScope::All, up_to, Direction::Backward, &filter, READ_EVENTS_MAX).await?;
            looked_at += page.len();
            for event in &page {
                up_to = Position(event.position.0.saturating_sub(1));
                if seen.insert(event.stream.clone()) {
                    found.extend(sealed_by(event));
                }
            }
            if page.len() < READ_EVENTS_MAX {
                break;
            }
        }
        Ok(found)
    }
}

/// What an event sealed. What this build does not know is passed over: it says so when it is used.
fn sealed_by(event: &RecordedEvent) -> Option<Seal> {
    let tenant = event.stream.tenant;
    if &*event.stream.category == AccountEvent::CATEGORY {
        return match codec::decode::<AccountEvent>(event).ok()? {
            AccountEvent::PasswordSet { sealed } | AccountEvent::PasswordResealed { sealed } => {
                Some(Seal { tenant, credential: None, key: sealed.key })
            }
            _ => None,
        };
    }
    let credential = Some(event.stream.id.parse::<CredentialId>().ok()?);
    match codec::decode::<CredentialEvent>(event).ok()? {
        CredentialEvent::CredentialSaved { sealed, .. } | CredentialEvent::CredentialResealed { sealed } => {
            Some(Seal { tenant, credential, key: sealed.key })
        }
        CredentialEvent::CredentialDeleted {} => None,
    }
}
