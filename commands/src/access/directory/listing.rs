//! Accounts, keys, sessions and tenants at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use timeloom_domain::access::Permissions;
use timeloom_domain::account::{AccountEvent, Identity};
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::ids::{AccountId, FIRST_TENANT, SessionId, TenantId};
use timeloom_domain::session::SessionEvent;
use timeloom_domain::tenant::{FIRST_NAME, Tenant, TenantEvent};
use timeloom_store::{Position, RecordedEvent, codec};

use super::{AccountEntry, KeyEntry, SessionEntry, TenantEntry};

/// Who has access at one moment.
#[derive(Debug, Clone, Default)]
pub struct AccessListing {
    position: Position,
    is_caught_up: bool,
    accounts: BTreeMap<(TenantId, AccountId), Arc<AccountEntry>>,
    keys: HashMap<Arc<str>, Arc<KeyEntry>>,
    links: HashMap<Arc<str>, (TenantId, AccountId)>,
    sessions: HashMap<SessionId, Arc<SessionEntry>>,
    tenants: BTreeMap<TenantId, Arc<TenantEntry>>,
    /// Who was first with an address keeps it.
    emails: HashMap<(TenantId, String), AccountId>,
    identities: HashMap<(TenantId, Identity), AccountId>,
}

impl AccessListing {
    /// Up to where it has seen the log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether it has seen everything that was in the log when it began.
    pub fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    /// An account.
    pub fn account(&self, tenant: TenantId, id: AccountId) -> Option<&AccountEntry> {
        self.accounts.get(&(tenant, id)).map(|entry| &**entry)
    }

    /// The accounts of a tenant, in the order of their ids.
    pub fn accounts(&self, tenant: TenantId) -> impl Iterator<Item = &AccountEntry> {
        let none = AccountId(uuid::Uuid::nil());
        self.accounts.range((tenant, none)..).take_while(move |((of, _), _)| *of == tenant).map(|(_, entry)| &**entry)
    }

    /// The account that signs in with an address; capitals make no difference.
    pub fn account_by_email(&self, tenant: TenantId, email: &str) -> Option<&AccountEntry> {
        let id = self.emails.get(&(tenant, email.trim().to_lowercase()))?;
        self.account(tenant, *id)
    }

    /// The account of whom an identity provider knows by a name.
    pub fn account_by_identity(&self, tenant: TenantId, issuer: &str, subject: &str) -> Option<&AccountEntry> {
        let identity = Identity { issuer: issuer.to_owned(), subject: subject.to_owned() };
        self.account(tenant, *self.identities.get(&(tenant, identity))?)
    }

    /// A key that was not revoked, by the part of it that may be seen.
    pub fn key(&self, key: &str) -> Option<&KeyEntry> {
        self.keys.get(key).map(|entry| &**entry)
    }

    /// The account of a link that was not used.
    pub(crate) fn link(&self, link: &str) -> Option<(TenantId, AccountId)> {
        self.links.get(link).copied()
    }

    /// A session that has not ended.
    pub fn session(&self, id: SessionId) -> Option<&SessionEntry> {
        self.sessions.get(&id).map(|entry| &**entry)
    }

    /// A tenant; the first is there from the beginning.
    pub fn tenant(&self, tenant: TenantId) -> Option<TenantEntry> {
        match self.tenants.get(&tenant) {
            Some(entry) => Some(TenantEntry::clone(entry)),
            None if tenant == FIRST_TENANT => Some(TenantEntry {
                tenant,
                name: FIRST_NAME.to_owned(),
                suspended: false,
                open_categories: BTreeSet::new(),
            }),
            None => None,
        }
    }

    /// Every tenant, in the order of their numbers.
    pub fn tenants(&self) -> Vec<TenantEntry> {
        let first = (!self.tenants.contains_key(&FIRST_TENANT)).then(|| self.tenant(FIRST_TENANT)).flatten();
        first.into_iter().chain(self.tenants.values().map(|entry| TenantEntry::clone(entry))).collect()
    }

    /// Whether programs of others may append to a category of a tenant.
    pub fn is_open(&self, tenant: TenantId, category: &str) -> bool {
        self.tenants.get(&tenant).is_some_and(|entry| entry.open_categories.contains(category))
    }

    /// Whether a tenant is there and lets in.
    pub fn tenant_lets_in(&self, tenant: TenantId) -> bool {
        self.tenant(tenant).is_some_and(|entry| !entry.suspended)
    }

    /// Whether an account that lets in is owner.
    pub fn has_owner(&self, tenant: TenantId) -> bool {
        self.has_owner_besides(tenant, None)
    }

    /// The same without one of them.
    pub(crate) fn has_owner_besides(&self, tenant: TenantId, besides: Option<AccountId>) -> bool {
        self.accounts(tenant).any(|entry| entry.lets_in() && entry.account.owns() && Some(entry.id) != besides)
    }

    /// What an account may do now: by its roles, an agent no more than whom it acts for, and what runs the installation
    /// only in the tenant that does.
    pub fn permissions(&self, tenant: TenantId, id: AccountId) -> Permissions {
        let Some(entry) = self.account(tenant, id).filter(|entry| entry.lets_in()) else { return Permissions::NONE };
        let mut permissions = entry.account.permissions();
        if let Some(principal) = entry.account.on_behalf_of {
            let theirs = self.account(tenant, principal).filter(|entry| entry.lets_in());
            // Nobody acts for an agent, so this goes no deeper.
            permissions = permissions.and(theirs.map_or(Permissions::NONE, |entry| entry.account.permissions()));
        }
        permissions.in_tenant(tenant)
    }

    pub(super) fn passed(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    pub(super) fn caught_up_at(&mut self, position: Position) {
        self.passed(position);
        self.is_caught_up = true;
    }

    /// Folds one event in. Events of other categories are none of its concern.
    pub(super) fn apply(&mut self, event: &RecordedEvent) {
        match &*event.stream.category {
            AccountEvent::CATEGORY => self.apply_to_account(event),
            SessionEvent::CATEGORY => self.apply_to_session(event),
            TenantEvent::CATEGORY => self.apply_to_tenant(event),
            _ => {}
        }
        self.passed(event.position);
    }

    fn apply_to_account(&mut self, event: &RecordedEvent) {
        let Ok(id) = event.stream.id.parse::<AccountId>() else { return };
        let tenant = event.stream.tenant;
        let entry = self.accounts.entry((tenant, id)).or_insert_with(|| {
            Arc::new(AccountEntry { tenant, id, account: timeloom_domain::account::Account::default(), unknown: false })
        });
        let entry = Arc::make_mut(entry);
        let before = entry.account.email.clone();
        match codec::decode::<AccountEvent>(event) {
            Ok(decoded) => {
                entry.account.apply(&decoded);
                let (email, entry) = (entry.account.email.clone(), entry.clone());
                self.index_account(&entry, &decoded);
                if before != email {
                    self.index_email(&entry, before.as_deref());
                }
            }
            Err(error) => {
                tracing::error!(%error, account = %id, "an event of an account is not known: it lets nobody in");
                entry.unknown = true;
            }
        }
    }

    fn index_account(&mut self, entry: &AccountEntry, event: &AccountEvent) {
        let place = (entry.tenant, entry.id);
        match event {
            AccountEvent::ApiKeyMade { key, digest, scopes, expires_at_ms, .. } => {
                let made = KeyEntry {
                    tenant: entry.tenant,
                    account: entry.id,
                    digest: digest.as_str().into(),
                    scopes: *scopes,
                    expires_at_ms: *expires_at_ms,
                    used_at_ms: None,
                };
                // Who was first with an id keeps it: another account cannot take over a key.
                self.keys.entry(key.as_str().into()).or_insert_with(|| Arc::new(made));
            }
            AccountEvent::ApiKeyUsed { key, at_ms } => {
                if let Some(known) = self.keys.get_mut(key.as_str()).filter(|known| known.account == entry.id) {
                    Arc::make_mut(known).used_at_ms = Some(*at_ms);
                }
            }
            AccountEvent::ApiKeyRevoked { key } if self.key(key).is_some_and(|known| known.account == entry.id) => {
                self.keys.remove(key.as_str());
            }
            AccountEvent::SignInLinkMade { link, .. } => {
                self.links.insert(link.as_str().into(), place);
                // The oldest made room.
                self.links
                    .retain(|link, of| *of != place || entry.account.links.iter().any(|kept| *kept.link == **link));
            }
            AccountEvent::SignInLinkUsed { link } => {
                self.links.remove(link.as_str());
            }
            AccountEvent::IdentityLinked { issuer, subject } => {
                let identity = Identity { issuer: issuer.clone(), subject: subject.clone() };
                self.identities.entry((entry.tenant, identity)).or_insert(entry.id);
            }
            AccountEvent::IdentityUnlinked { issuer, subject } => {
                let identity = (entry.tenant, Identity { issuer: issuer.clone(), subject: subject.clone() });
                if self.identities.get(&identity) == Some(&entry.id) {
                    self.identities.remove(&identity);
                }
            }
            _ => {}
        }
    }

    fn index_email(&mut self, entry: &AccountEntry, before: Option<&str>) {
        let place = |email: &str| (entry.tenant, email.trim().to_lowercase());
        if let Some(before) = before.map(place).filter(|before| self.emails.get(before) == Some(&entry.id)) {
            self.emails.remove(&before);
        }
        if let Some(email) = &entry.account.email {
            self.emails.entry(place(email)).or_insert(entry.id);
        }
    }

    fn apply_to_session(&mut self, event: &RecordedEvent) {
        let Ok(id) = event.stream.id.parse::<SessionId>() else { return };
        let tenant = event.stream.tenant;
        let decoded = match codec::decode::<SessionEvent>(event) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::error!(%error, session = %id, "an event of a session is not known: it lets in no more");
                self.sessions.remove(&id);
                return;
            }
        };
        match &decoded {
            SessionEvent::SessionStarted { at_ms, .. } => {
                let mut session = timeloom_domain::session::Session::default();
                session.apply(&decoded);
                // Those whose time is up make room.
                self.sessions.retain(|_, known| known.session.lets_in_until_ms() > *at_ms);
                self.sessions.insert(id, Arc::new(SessionEntry { tenant, id, session }));
            }
            SessionEvent::SessionEnded { .. } => {
                self.sessions.remove(&id);
            }
            SessionEvent::SessionUsed { .. } => {
                if let Some(known) = self.sessions.get_mut(&id) {
                    Arc::make_mut(known).session.apply(&decoded);
                }
            }
        }
    }

    fn apply_to_tenant(&mut self, event: &RecordedEvent) {
        let Some(tenant) = event.stream.id.parse().ok().map(TenantId) else { return };
        let Ok(decoded) = codec::decode::<TenantEvent>(event) else {
            tracing::error!(tenant = tenant.0, "an event of a tenant is not known: it is left as it was");
            return;
        };
        let before = self.tenant(tenant);
        let mut folded = Tenant {
            tenant: before.as_ref().map(|entry| entry.tenant),
            name: before.as_ref().map(|entry| entry.name.clone()).unwrap_or_default(),
            suspended: before.as_ref().is_some_and(|entry| entry.suspended),
            open_categories: before.map(|entry| entry.open_categories).unwrap_or_default(),
        };
        folded.apply(&decoded);
        let Tenant { name, suspended, open_categories, .. } = folded;
        let entry = TenantEntry { tenant, name, suspended, open_categories };
        self.tenants.insert(tenant, Arc::new(entry));
    }
}
