//! Keys of subjects in memory: for logs in memory and tests. Nothing outlives the process.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use timeloom_domain::ids::TenantId;

use super::vault::{Finder, MasterKeys, StoredKey, read_backup, write_backup};
use super::{FoundKey, KeyId, SubjectKey, SubjectKeyError, SubjectKeys};

/// [`SubjectKeys`] in memory.
pub struct MemorySubjectKeys {
    masters: Arc<dyn MasterKeys>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    finder: Option<Finder>,
    /// In the order in which they came.
    keys: Vec<StoredKey>,
    opened: HashMap<KeyId, SubjectKey>,
    destroyed: HashSet<KeyId>,
    held: HashSet<KeyId>,
}

impl MemorySubjectKeys {
    /// No keys yet, to be wrapped under `masters`.
    pub fn new(masters: Arc<dyn MasterKeys>) -> Self {
        Self { masters, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn finder(&mut self, masters: &dyn MasterKeys) -> Result<&Finder, SubjectKeyError> {
        if self.finder.is_none() {
            self.finder = Some(Finder::make(masters)?.0);
        }
        self.finder.as_ref().ok_or(SubjectKeyError::NoChance)
    }

    fn find(
        &mut self,
        masters: &dyn MasterKeys,
        tenant: TenantId,
        subject: &str,
    ) -> Result<Vec<KeyId>, SubjectKeyError> {
        let found_by = self.finder(masters)?.found_by(tenant, subject);
        let of_subject = |key: &&StoredKey| key.tenant == tenant && key.found_by == found_by;
        Ok(self.keys.iter().rev().filter(of_subject).map(|key| key.id).collect())
    }
}

#[async_trait]
impl SubjectKeys for MemorySubjectKeys {
    async fn of_subject(&self, tenant: TenantId, subject: &str) -> Result<SubjectKey, SubjectKeyError> {
        let mut kept = self.lock();
        if let Some(id) = kept.find(&*self.masters, tenant, subject)?.first() {
            if kept.held.contains(id) {
                return Err(SubjectKeyError::BeingErased);
            }
            return kept.opened.get(id).cloned().ok_or(SubjectKeyError::Damaged(*id));
        }
        let (key, stored) = kept.finder(&*self.masters)?.make_key(&*self.masters, tenant, subject)?;
        kept.opened.insert(key.id, key.clone());
        kept.keys.push(stored);
        Ok(key)
    }

    async fn find(&self, tenant: TenantId, subject: &str) -> Result<Vec<KeyId>, SubjectKeyError> {
        self.lock().find(&*self.masters, tenant, subject)
    }

    async fn open(&self, id: KeyId) -> Result<FoundKey, SubjectKeyError> {
        let kept = self.lock();
        Ok(match kept.opened.get(&id) {
            _ if kept.destroyed.contains(&id) => FoundKey::Erased,
            Some(key) => FoundKey::Key(key.clone()),
            None => FoundKey::Lost,
        })
    }

    async fn destroy(&self, ids: &[KeyId]) -> Result<(), SubjectKeyError> {
        let mut kept = self.lock();
        for id in ids {
            kept.destroyed.insert(*id);
            kept.opened.remove(id);
            kept.keys.retain(|key| key.id != *id);
        }
        Ok(())
    }

    fn hold_back(&self, ids: &[KeyId], held: bool) {
        let mut kept = self.lock();
        for id in ids {
            if held {
                kept.held.insert(*id)
            } else {
                kept.held.remove(id)
            };
        }
    }

    async fn backup(&self) -> Result<String, SubjectKeyError> {
        write_backup(&self.lock().keys)
    }

    async fn restore(&self, backup: &str) -> Result<u64, SubjectKeyError> {
        let mut kept = self.lock();
        let mut taken = Vec::new();
        for stored in read_backup(backup)? {
            if kept.destroyed.contains(&stored.id) || kept.opened.contains_key(&stored.id) {
                continue;
            }
            taken.push(kept.finder(&*self.masters)?.adopted(&*self.masters, stored)?);
        }
        let count = taken.len() as u64;
        for stored in taken {
            let key = stored.open(&*self.masters)?;
            kept.opened.insert(stored.id, key);
            // The key of a subject that has one seals on; this one opens what was sealed before.
            kept.keys.insert(0, stored);
        }
        Ok(count)
    }
}
