//! Credentials: seals what people save, and opens it for whoever carries out a node or lets a caller in.
//!
//! Never keeps an opened credential, and never tells a value in an error. Invariant: what is answered is what the log says
//! at that moment, whichever process saved it: there is no index that could lag behind.

mod check;
pub mod keys;
mod seal;

use std::collections::BTreeSet;
use std::sync::Arc;

use timeloom_domain::access::{Forbidden, Permission};
use timeloom_domain::credential::types::check_fields;
use timeloom_domain::credential::{Credential, CredentialCommand, CredentialEvent, CredentialRefusal, Sealed};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{CredentialId, FIRST_TENANT, TenantId};
use timeloom_domain::item::JsonObject;
use timeloom_store::{Direction, Filter, LogError, Position, READ_EVENTS_MAX, StreamKey, TenantScope};

pub use self::check::{KeyCheck, Needed};
use self::keys::{KeyError, KeySource, Keyring};
pub use self::seal::NONCE_BYTES;
use self::seal::{Place, SealError, SealNonces, open, rewrapped, seal};
use crate::bridge::Base;
use crate::ports::Secrets;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal, SecretTexts};

/// How often a credential is sealed again that somebody saves meanwhile.
const SEALS_MAX: usize = 5;
/// The code of the refusal of what was sealed for another version than there is.
const CHANGED: &str = "CREDENTIAL_CHANGED";
/// Most credentials that a rotation tells of one by one, because they could not be opened.
const TOLD_MAX: usize = 100;

/// A credential to save.
pub struct SaveCredential {
    /// Its name: the one of that type and name is replaced.
    pub name: String,
    /// Its type, such as `httpBasicAuth`.
    pub credential_type: String,
    /// Its fields.
    pub fields: JsonObject,
}

impl std::fmt::Debug for SaveCredential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, credential_type, .. } = self;
        formatter
            .debug_struct("SaveCredential")
            .field("name", name)
            .field("credential_type", credential_type)
            .finish_non_exhaustive()
    }
}

/// What a rotation came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Fingerprint of the key under which everything is sealed now.
    pub key: String,
    /// Credentials that were sealed anew.
    pub resealed: u64,
    /// Credentials that were under that key already.
    pub kept: u64,
    /// Credentials that could not be opened.
    pub failed: u64,
    /// Why, for the first hundred of them.
    pub failures: Vec<String>,
}

/// Why a credential cannot be had. Never tells a value of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialError {
    /// Its key is lost, or has not been brought.
    #[error(
        "the credential '{name}' ({credential_type}) was sealed with key {key}, which is not in {place}: bring that key back from its copy, or save the credential again"
    )]
    KeyMissing {
        /// The credential.
        name: String,
        /// Its type.
        credential_type: String,
        /// Fingerprint of the key.
        key: String,
        /// Where keys are looked for.
        place: String,
    },
    /// What is stored is not what was saved.
    #[error(
        "the credential '{name}' ({credential_type}) is not what was saved: what the log has was changed, or belongs to another credential; save it again"
    )]
    Broken {
        /// The credential.
        name: String,
        /// Its type.
        credential_type: String,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        let code = match error {
            KeyError::None => "NO_CREDENTIAL_KEY",
            KeyError::Given => "CREDENTIAL_KEYS_GIVEN",
            KeyError::Invalid { .. } | KeyError::TooMany(_) | KeyError::File(_) | KeyError::NoChance(_) => {
                "CREDENTIAL_KEYS_UNUSABLE"
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<CredentialRefusal> for Refusal {
    fn from(refusal: CredentialRefusal) -> Self {
        let code = match refusal {
            CredentialRefusal::NotFound => "CREDENTIAL_NOT_FOUND",
            CredentialRefusal::Changed => CHANGED,
            CredentialRefusal::InvalidName => "INVALID_NAME",
            CredentialRefusal::InvalidType => "INVALID_TYPE",
            CredentialRefusal::NoFields | CredentialRefusal::TooManyFields | CredentialRefusal::TooLarge(_) => {
                "INVALID_FIELDS"
            }
            CredentialRefusal::MissingField { .. } | CredentialRefusal::InvalidField { .. } => "INVALID_FIELDS",
        };
        Self::new(code, refusal.to_string())
    }
}

/// A credential in the clear.
pub struct OpenedCredential {
    /// Its name.
    pub name: String,
    /// Its type.
    pub credential_type: String,
    /// Its fields.
    pub fields: JsonObject,
}

impl std::fmt::Debug for OpenedCredential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("OpenedCredential").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The credentials of one log. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    commands: Commands,
    keys: Arc<dyn KeySource>,
    chance: Arc<dyn Secrets>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("keys", &self.keys.place()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The credentials of the log of `commands`, under `keys`.
    pub fn new(commands: Commands, keys: Arc<dyn KeySource>, chance: Arc<dyn Secrets>) -> Self {
        Self { commands, keys, chance }
    }

    /// Takes the fields of a credential: of a new one, or in place of those of the one of that type and name.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn save(
        &self,
        context: &CommandContext,
        save: SaveCredential,
    ) -> Result<Outcome<CredentialId>, CommandError> {
        context.require(Permission::CredentialWrite)?;
        let SaveCredential { name, credential_type, fields } = save;
        check_fields(&credential_type, &fields).map_err(Refusal::from)?;
        let id = CredentialId::of(context.tenant, &credential_type, &name);
        let keys = self.keys.keys_to_seal().map_err(Refusal::from)?;
        let names: Vec<String> = fields.keys().cloned().collect();
        for _ in 0..SEALS_MAX {
            let version = self.version_to_save(context, id).await?;
            let sealed = self.sealed(&keys, Place { tenant: context.tenant, id, version }, &fields);
            let too_large = || Refusal::new("INVALID_FIELDS", "the fields cannot be sealed: make them smaller");
            let sealed = sealed.map_err(Refusal::from)?.ok_or_else(too_large)?;
            let (name, credential_type, fields) = (name.clone(), credential_type.clone(), names.clone());
            let command = CredentialCommand::Save { name, credential_type, fields, sealed };
            match self.change(context, id, command).await {
                // Somebody saved it meanwhile: it is sealed for the version after that one.
                Err(CommandError::Refused(refusal)) if refusal.code == CHANGED => {}
                answered => return answered,
            }
        }
        Err(saved_meanwhile())
    }

    /// The version that a save makes; where the same command was carried out before, the one that it made then.
    async fn version_to_save(&self, context: &CommandContext, id: CredentialId) -> Result<u64, LogError> {
        let stream = StreamKey::new(context.tenant, CredentialEvent::CATEGORY, id.to_string());
        let states = &self.commands.inner.states;
        match states.before::<Credential>(&stream, context.command_id).await? {
            Some(before) => Ok(before.aggregate.next_version()),
            None => Ok(self.current(context.tenant, id).await?.next_version()),
        }
    }

    /// Lets nobody use a credential any more.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn delete(
        &self,
        context: &CommandContext,
        id: CredentialId,
    ) -> Result<Outcome<CredentialId>, CommandError> {
        context.require(Permission::CredentialWrite)?;
        self.change(context, id, CredentialCommand::Delete).await
    }

    /// Puts every credential of the tenant under the newest key, which is a new one when `new_key`: that key seals the data
    /// keys then, and the fields stay closed but for those that have no data key yet. What cannot be opened stays as it is
    /// and is told. The first tenant runs the installation, so from there it is every credential of every tenant; the others
    /// make no new key, because keys are shared.
    ///
    /// # Errors
    /// A refusal, conflict or fault. What was sealed anew by then stays so, and the same call goes on with the rest.
    pub async fn rotate(&self, context: &CommandContext, new_key: bool) -> Result<Rotated, CommandError> {
        context.require(Permission::CredentialWrite)?;
        let is_first = context.tenant == FIRST_TENANT;
        if new_key && !is_first {
            return Err(Forbidden { needed: Permission::SystemWrite }.into());
        }
        let keys = if new_key { self.keys.renew() } else { self.keys.keys_to_seal() }.map_err(Refusal::from)?;
        let newest = keys.newest().ok_or(KeyError::None).map_err(Refusal::from)?;
        let mut rotated = Rotated { key: newest.fingerprint().to_owned(), ..Rotated::default() };
        let filter = Filter { categories: vec![CredentialEvent::CATEGORY.into()], ..Filter::default() };
        let scope = if is_first { TenantScope::All } else { TenantScope::One(context.tenant) };
        let (mut seen, mut after) = (BTreeSet::new(), Position::START);
        loop {
            let log = &self.commands.inner.log;
            let page = log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
            for event in &page {
                after = event.position;
                // Another id than a command makes is nobody's credential.
                if let Ok(id) = event.stream.id.parse::<CredentialId>()
                    && seen.insert((event.stream.tenant, id))
                {
                    let context = CommandContext { tenant: event.stream.tenant, ..context.clone() };
                    self.reseal(&context, id, &keys, &mut rotated).await?;
                }
            }
            if page.len() < READ_EVENTS_MAX {
                return Ok(rotated);
            }
        }
    }

    /// The fields of a credential of that type: by its id where it is one of ours, else by its name. `None` when there is
    /// none.
    ///
    /// # Errors
    /// [`CredentialError`], which tells no value.
    pub async fn credential(
        &self,
        tenant: TenantId,
        credential_type: &str,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<JsonObject>, CredentialError> {
        let by_id = id.and_then(|id| id.parse::<CredentialId>().ok());
        let by_name = name.map(|name| CredentialId::of(tenant, credential_type, name));
        for id in by_id.into_iter().chain(by_name) {
            let credential = self.current(tenant, id).await?;
            if let Some(sealed) = credential.sealed.as_ref().filter(|_| credential.credential_type == credential_type) {
                return self.open(&*self.keys.keys()?, (tenant, id), &credential, sealed).map(Some);
            }
        }
        Ok(None)
    }

    /// A credential with its fields in the clear; `None` when there is none with that id.
    ///
    /// # Errors
    /// [`CredentialError`], which tells no value.
    pub async fn opened(
        &self,
        tenant: TenantId,
        id: CredentialId,
    ) -> Result<Option<OpenedCredential>, CredentialError> {
        let credential = self.current(tenant, id).await?;
        let Some(sealed) = &credential.sealed else { return Ok(None) };
        let fields = self.open(&*self.keys.keys()?, (tenant, id), &credential, sealed)?;
        let Credential { name, credential_type, .. } = credential;
        Ok(Some(OpenedCredential { name, credential_type, fields }))
    }

    /// The secrets of all credentials of a tenant, to be hidden in what is written down. What cannot be opened is left out:
    /// nobody here can have given it away.
    ///
    /// # Errors
    /// [`CredentialError`], which tells no value.
    pub async fn secret_texts(&self, tenant: TenantId) -> Result<SecretTexts, CredentialError> {
        let texts = SecretTexts::default();
        let filter = Filter { categories: vec![CredentialEvent::CATEGORY.into()], ..Filter::default() };
        let (mut seen, mut after) = (BTreeSet::new(), Position::START);
        loop {
            let log = &self.commands.inner.log;
            let scope = TenantScope::One(tenant);
            let page = log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
            for event in &page {
                after = event.position;
                let Ok(id) = event.stream.id.parse::<CredentialId>() else { continue };
                if !seen.insert(id) {
                    continue;
                }
                let credential = self.current(tenant, id).await?;
                let Some(sealed) = &credential.sealed else { continue };
                if let Ok(fields) = self.open(&*self.keys.keys()?, (tenant, id), &credential, sealed) {
                    texts.note_credential(&credential.name, &credential.credential_type, &fields);
                }
            }
            if page.len() < READ_EVENTS_MAX {
                return Ok(texts);
            }
        }
    }

    async fn reseal(
        &self,
        context: &CommandContext,
        id: CredentialId,
        keys: &Keyring,
        rotated: &mut Rotated,
    ) -> Result<(), CommandError> {
        for _ in 0..SEALS_MAX {
            let credential = self.current(context.tenant, id).await?;
            let Some(from) = credential.sealed.clone() else { return Ok(()) };
            if from.key == rotated.key && from.data_key.is_some() {
                rotated.kept += 1;
                return Ok(());
            }
            let place = Place { tenant: context.tenant, id, version: credential.version };
            let sealed = match self.resealed(keys, place, &credential, &from) {
                Ok(sealed) => sealed,
                Err(error) => {
                    rotated.failed += 1;
                    if rotated.failures.len() < TOLD_MAX {
                        rotated.failures.push(error.to_string());
                    }
                    return Ok(());
                }
            };
            match self.change(context, id, CredentialCommand::Reseal { from, sealed }).await {
                Ok(_) => {
                    rotated.resealed += 1;
                    return Ok(());
                }
                // Somebody saved or deleted it meanwhile: it is looked at again.
                Err(CommandError::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Err(saved_meanwhile())
    }

    /// The same fields under the newest key.
    fn resealed(
        &self,
        keys: &Keyring,
        place: Place,
        credential: &Credential,
        from: &Sealed,
    ) -> Result<Sealed, CredentialError> {
        let newest = keys.newest().ok_or(KeyError::None)?;
        let unopened = |error| self.unopened(error, credential, from);
        if let Some(sealed) = rewrapped(keys, newest, self.chance.nonce(), place, from).map_err(unopened)? {
            return Ok(sealed);
        }
        let fields = open(keys, place, from).map_err(unopened)?;
        self.sealed(keys, place, &fields)?.ok_or_else(|| unopened(SealError::Broken))
    }

    /// Fields under a new data key, and that under the newest key; `None` when they are too large.
    fn sealed(&self, keys: &Keyring, place: Place, fields: &JsonObject) -> Result<Option<Sealed>, KeyError> {
        let key = keys.newest().ok_or(KeyError::None)?;
        let nonces = SealNonces { fields: self.chance.nonce(), data_key: self.chance.nonce() };
        Ok(seal(key, &self.chance.secret()?, nonces, place, fields))
    }

    fn open(
        &self,
        keys: &Keyring,
        (tenant, id): (TenantId, CredentialId),
        credential: &Credential,
        sealed: &Sealed,
    ) -> Result<JsonObject, CredentialError> {
        let place = Place { tenant, id, version: credential.version };
        open(keys, place, sealed).map_err(|error| self.unopened(error, credential, sealed))
    }

    fn unopened(&self, error: SealError, credential: &Credential, sealed: &Sealed) -> CredentialError {
        let (name, credential_type) = (credential.name.clone(), credential.credential_type.clone());
        match error {
            SealError::NoKey => {
                let (key, place) = (sealed.key.clone(), self.keys.place());
                CredentialError::KeyMissing { name, credential_type, key, place }
            }
            SealError::Broken => CredentialError::Broken { name, credential_type },
        }
    }

    async fn current(&self, tenant: TenantId, id: CredentialId) -> Result<Credential, LogError> {
        let stream = StreamKey::new(tenant, CredentialEvent::CATEGORY, id.to_string());
        Ok(self.commands.inner.states.load::<Credential>(&stream, None).await?.folded.take_aggregate())
    }

    async fn change(
        &self,
        context: &CommandContext,
        id: CredentialId,
        command: CredentialCommand,
    ) -> Result<Outcome<CredentialId>, CommandError> {
        let stream = self.commands.stream::<CredentialEvent>(context, id);
        Ok(self.commands.execute::<Credential>(context, stream, command, Base::Current).await?.with(id))
    }
}

fn saved_meanwhile() -> CommandError {
    let message = "a credential is saved again and again meanwhile: try again later".to_owned();
    CommandError::Conflict { message }
}
