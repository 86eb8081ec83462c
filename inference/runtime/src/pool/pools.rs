//! All models that are loaded, by name and version, and which version a name means.
//!
//! Invariant: a name means a version that is ready or nothing at all. While another version takes a name, whoever asks by
//! the name is answered by the one or the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ask::{Answer, Ask, NotComputed};
use super::clock::Clock;
use super::counts::Counts;
use super::pool::{Closed, LoadError, Pool, Spec};
use crate::instance::Inputs;

/// Most versions that are loaded at once, of all models together.
pub const LISTED_MAX: usize = 1024;
/// How often one ask may find that the version it was sent to went away meanwhile.
const SENT_ON_MAX: usize = 16;

/// All models that are loaded.
pub struct Pools {
    clock: Arc<dyn Clock>,
    models: Mutex<BTreeMap<String, Model>>,
}

#[derive(Debug, Default)]
struct Model {
    serving: Option<u64>,
    versions: BTreeMap<u64, Version>,
}

#[derive(Debug, Clone)]
enum Version {
    Loading,
    Loaded(Arc<Pool>),
    Draining(Arc<Pool>),
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStage {
    /// It is being made and warmed up.
    Loading,
    /// It computes.
    Ready,
    /// It is loaded, but none of its instances can compute now.
    Broken,
    /// It computes those who are there, and ends.
    Draining,
}

/// A version that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The model's name.
    pub model: String,
    /// The version.
    pub version: u64,
    /// Where it is in its life.
    pub stage: VersionStage,
    /// Whether the model's name means this version.
    pub serving: bool,
    /// Its numbers, if it has any yet.
    pub counts: Option<Counts>,
}

/// Why something was not done with a version.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PoolsError {
    /// It is loaded, or being loaded or unloaded.
    #[error("version {version} of '{model}' is {what} already")]
    Busy {
        /// The model's name.
        model: String,
        /// The version.
        version: u64,
        /// What it is already.
        what: &'static str,
    },
    /// It is not loaded.
    #[error("version {version} of '{model}' is not loaded: load it first")]
    NotLoaded {
        /// The model's name.
        model: String,
        /// The version.
        version: u64,
    },
    /// Too many are loaded.
    #[error("{LISTED_MAX} versions are loaded: unload one first")]
    TooMany,
    /// It could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// What was computed, and by which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The version that computed.
    pub version: u64,
    /// What it computed.
    pub answer: Answer,
}

/// Why nothing was computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInferred {
    /// The model or the version is not loaded.
    #[error("the model '{model}' is not loaded in that version: load it first")]
    NotLoaded {
        /// The model's name.
        model: String,
    },
    /// Its pool did not compute.
    #[error(transparent)]
    NotComputed(#[from] NotComputed),
}

impl Pools {
    /// None are loaded.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, models: Mutex::default() }
    }

    fn models(&self) -> MutexGuard<'_, BTreeMap<String, Model>> {
        // Each change of the map is one insertion or removal: a panic elsewhere leaves it whole.
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads a version. It gets ready before anything is sent to it; the name means it if it meant nothing before.
    ///
    /// # Errors
    /// When it is there already, or does not get ready.
    pub async fn load(&self, model: &str, version: u64, spec: Spec) -> Result<(), PoolsError> {
        let claim = self.claim(model, version)?;
        let pool = Pool::load(spec, Arc::clone(&self.clock)).await?;
        claim.keep(pool);
        Ok(())
    }

    /// Loads a version and has the model's name mean it once it is ready; the version that the name meant before computes
    /// who is there and ends. Nobody who asks by the name is refused for it.
    ///
    /// # Errors
    /// When it is there already, or does not get ready; the name means what it did then.
    pub async fn swap(&self, model: &str, version: u64, spec: Spec, drain: Duration) -> Result<(), PoolsError> {
        self.load(model, version, spec).await?;
        match self.serve(model, version)? {
            Some(before) if before != version => self.unload(model, before, drain).await.map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Has the model's name mean a version that is loaded. Tells what it meant before.
    ///
    /// # Errors
    /// When it is not loaded.
    pub fn serve(&self, model: &str, version: u64) -> Result<Option<u64>, PoolsError> {
        let mut models = self.models();
        let found =
            models.get_mut(model).filter(|found| matches!(found.versions.get(&version), Some(Version::Loaded(_))));
        match found {
            Some(found) => Ok(found.serving.replace(version)),
            None => Err(PoolsError::NotLoaded { model: model.to_owned(), version }),
        }
    }

    /// Unloads a version: it lets nobody in any more, computes who is there within `drain`, and ends.
    ///
    /// # Errors
    /// When it is not loaded.
    pub async fn unload(&self, model: &str, version: u64, drain: Duration) -> Result<Closed, PoolsError> {
        let pool = self.begin_draining(model, version)?;
        let closed = pool.close(drain).await;
        self.remove(model, version);
        Ok(closed)
    }

    fn begin_draining(&self, model: &str, version: u64) -> Result<Arc<Pool>, PoolsError> {
        let mut models = self.models();
        let not_loaded = || PoolsError::NotLoaded { model: model.to_owned(), version };
        let found = models.get_mut(model).ok_or_else(not_loaded)?;
        let pool = match found.versions.get(&version) {
            Some(Version::Loaded(pool)) => Arc::clone(pool),
            Some(Version::Loading) => return Err(busy(model, version, "being loaded")),
            Some(Version::Draining(_)) => return Err(busy(model, version, "being unloaded")),
            None => return Err(not_loaded()),
        };
        found.versions.insert(version, Version::Draining(Arc::clone(&pool)));
        found.serving = found.serving.filter(|serving| *serving != version);
        Ok(pool)
    }

    fn remove(&self, model: &str, version: u64) {
        let mut models = self.models();
        if let Some(found) = models.get_mut(model) {
            found.versions.remove(&version);
            found.serving = found.serving.filter(|serving| *serving != version);
            if found.versions.is_empty() {
                models.remove(model);
            }
        }
    }

    fn claim(&self, model: &str, version: u64) -> Result<Claim<'_>, PoolsError> {
        let mut models = self.models();
        if models.values().map(|model| model.versions.len()).sum::<usize>() >= LISTED_MAX {
            return Err(PoolsError::TooMany);
        }
        let versions = &mut models.entry(model.to_owned()).or_default().versions;
        match versions.get(&version) {
            Some(Version::Loading) => Err(busy(model, version, "being loaded")),
            Some(Version::Loaded(_)) => Err(busy(model, version, "loaded")),
            Some(Version::Draining(_)) => Err(busy(model, version, "being unloaded")),
            None => {
                versions.insert(version, Version::Loading);
                Ok(Claim { pools: self, model: model.to_owned(), version, kept: false })
            }
        }
    }

    /// Computes by a version, or by that which the model's name means now.
    ///
    /// # Errors
    /// When it is not loaded, or nothing was computed.
    pub async fn infer(
        &self,
        model: &str,
        version: Option<u64>,
        inputs: Inputs,
        ask: Ask,
    ) -> Result<Inferred, NotInferred> {
        let mut inputs = inputs;
        for _ in 0..SENT_ON_MAX {
            let (version, pool) =
                self.pool(model, version).ok_or_else(|| NotInferred::NotLoaded { model: model.to_owned() })?;
            match pool.admit(inputs, ask) {
                Ok(pending) => return Ok(Inferred { version, answer: pending.await? }),
                // It was closed between being found and being asked: the name means another by now, or none.
                Err(refused) if refused.why == NotComputed::Unloaded => inputs = refused.inputs,
                Err(refused) => return Err(refused.why.into()),
            }
        }
        Err(NotComputed::Unloaded.into())
    }

    /// The pool of a version, or of that which the model's name means now, and the version.
    pub fn pool(&self, model: &str, version: Option<u64>) -> Option<(u64, Arc<Pool>)> {
        let models = self.models();
        let found = models.get(model)?;
        let version = version.or(found.serving)?;
        match found.versions.get(&version)? {
            Version::Loaded(pool) => Some((version, Arc::clone(pool))),
            Version::Loading | Version::Draining(_) => None,
        }
    }

    /// Whether a version, or that which the model's name means, can compute now.
    pub fn is_ready(&self, model: &str, version: Option<u64>) -> bool {
        self.pool(model, version).is_some_and(|(_, pool)| pool.is_ready())
    }

    /// All versions that are there, by name and number, with their numbers.
    pub fn list(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        for (name, model) in self.models().iter() {
            for (version, held) in &model.versions {
                let (stage, counts) = match held {
                    Version::Loading => (VersionStage::Loading, None),
                    Version::Loaded(pool) if pool.is_ready() => (VersionStage::Ready, Some(pool.counts())),
                    Version::Loaded(pool) => (VersionStage::Broken, Some(pool.counts())),
                    Version::Draining(pool) => (VersionStage::Draining, Some(pool.counts())),
                };
                let serving = model.serving == Some(*version);
                listed.push(Listed { model: name.clone(), version: *version, stage, serving, counts });
            }
        }
        listed
    }

    /// Unloads all, at the same time.
    pub async fn close(&self, drain: Duration) {
        let all = self.list();
        // Each begins to drain before any is waited for, so that together they take no longer than one.
        let draining: Vec<_> = all
            .iter()
            .filter_map(|one| Some((one, self.begin_draining(&one.model, one.version).ok()?)))
            .inspect(|(_, pool)| pool.begin_close(drain))
            .collect();
        for (one, pool) in draining {
            pool.close(drain).await;
            self.remove(&one.model, one.version);
        }
    }
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pools").field("models", &self.models()).finish_non_exhaustive()
    }
}

fn busy(model: &str, version: u64, what: &'static str) -> PoolsError {
    PoolsError::Busy { model: model.to_owned(), version, what }
}

/// The place of a version that is being loaded. Given up when the loading fails, or nobody waits for it any more.
struct Claim<'pools> {
    pools: &'pools Pools,
    model: String,
    version: u64,
    kept: bool,
}

impl Claim<'_> {
    fn keep(mut self, pool: Pool) {
        self.kept = true;
        let mut models = self.pools.models();
        let model = models.entry(self.model.clone()).or_default();
        model.versions.insert(self.version, Version::Loaded(Arc::new(pool)));
        model.serving.get_or_insert(self.version);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.pools.remove(&self.model, self.version);
        }
    }
}
