//! Who has access: accounts, their keys and sessions, tenants; and who is let in.
//!
//! Never keeps a secret: a key, a link, a session and a password are told once, to whom they are for. Invariant: who is
//! let in follows from the log alone, so it is the same in every process, and was taken back as soon as the log says so.

mod accounts;
mod directory;
mod let_in;
mod means;
mod password;
mod refusals;
mod rules;
mod shown;
mod sign_in;
mod tenants;
mod token;

use std::fmt;
use std::sync::{Arc, Mutex};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use timeloom_domain::account::{Account, AccountCommand, AccountEvent};
use timeloom_domain::audit::{Audit, AuditEvent, WriteDown};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_store::StreamKey;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub(crate) use self::tenants::check_runs_installation;

pub use self::accounts::NewAccount;
pub use self::directory::{AccessDirectory, AccessListing, AccountEntry, KeyEntry, SessionEntry, TenantEntry};
pub use self::let_in::NotLetIn;
pub use self::means::{MadeKey, MadeLink, NewKey};
pub use self::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
pub use self::shown::SESSION_FRESH_MS;
pub use self::sign_in::{SignInError, SignInFrom, SignInRefusal, SignedIn};
use crate::bridge::Base;
use crate::credentials::keys::{KeyError, KeySource};
use crate::ports::{SECRET_BYTES, Secrets};
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// Passwords that are looked at at the same time: each takes 19 MiB and a processor.
const PASSWORDS_AT_ONCE: usize = 2;

/// Who has access to one log. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    commands: Commands,
    keys: Arc<dyn KeySource>,
    chance: Arc<dyn Secrets>,
    directory: AccessDirectory,
    passwords: Semaphore,
    noted: Mutex<let_in::Noted>,
    refused: Mutex<sign_in::Sampler>,
    tries: Mutex<shown::Tries>,
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Access").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}

impl Access {
    /// Access to the log of `commands`; passwords are sealed with `keys`. Must be called within a runtime.
    pub fn new(commands: Commands, keys: Arc<dyn KeySource>, chance: Arc<dyn Secrets>) -> Self {
        let directory = AccessDirectory::follow(Arc::clone(&commands.inner.log), Arc::clone(commands.clock()));
        // Of two over the same commands, the first tells them.
        let _ = commands.inner.access.set(directory.clone());
        let inner = Inner {
            commands,
            keys,
            chance,
            directory,
            passwords: Semaphore::new(PASSWORDS_AT_ONCE),
            noted: Mutex::default(),
            refused: Mutex::default(),
            tries: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Who has access, at a glance.
    pub fn directory(&self) -> &AccessDirectory {
        &self.inner.directory
    }

    /// Lets the directory follow the log no more.
    pub async fn close(&self) {
        self.inner.directory.close().await;
    }

    /// Writes down that somebody looked. What they are to see is for afterwards.
    ///
    /// # Errors
    /// A conflict or fault.
    pub async fn write_down(&self, context: &CommandContext, event: AuditEvent) -> Result<Outcome<()>, CommandError> {
        let stream = self.inner.commands.stream::<AuditEvent>(context, &context.actor);
        self.inner.commands.execute::<Audit>(context, stream, WriteDown(event), Base::Whatever).await
    }

    /// A key for what has to be sealed outside the log, made of the newest key of credentials; each purpose has its own.
    ///
    /// # Errors
    /// A refusal when there is no key, or it cannot be read.
    pub fn sealing_key(&self, purpose: &str) -> Result<Zeroizing<[u8; SECRET_BYTES]>, CommandError> {
        let keys = self.inner.keys.keys_to_seal().map_err(Refusal::from)?;
        let newest = keys.newest().ok_or_else(|| Refusal::from(KeyError::None))?;
        let code = Hmac::<Sha256>::new_from_slice(newest.bytes()).map_err(|_| Refusal::from(KeyError::None))?;
        let key = code.chain_update(b"timeloom derives a key\0").chain_update(purpose).finalize();
        Ok(Zeroizing::new(key.into_bytes().into()))
    }

    fn now_ms(&self) -> i64 {
        self.inner.commands.clock().now_ms()
    }

    /// An account as the log has it.
    async fn account(&self, tenant: TenantId, id: AccountId) -> Result<Account, CommandError> {
        let stream = StreamKey::new(tenant, AccountEvent::CATEGORY, id.to_string());
        Ok(self.inner.commands.load::<Account>(&stream).await?.aggregate.clone())
    }

    /// Sends a command to an account, and waits until this process lets in by what came of it.
    async fn change(
        &self,
        context: &CommandContext,
        id: AccountId,
        command: AccountCommand,
    ) -> Result<Outcome<AccountId>, CommandError> {
        let stream = self.inner.commands.stream::<AccountEvent>(context, id);
        let done = self.inner.commands.execute::<Account>(context, stream, command, Base::Current).await?;
        self.inner.directory.wait_for(done.position).await?;
        Ok(done.with(id))
    }
}
