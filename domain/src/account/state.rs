//! An account as its events tell it, and what it decides.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    AccountCommand, AccountEvent, AccountKind, AccountRefusal, EMAIL_BYTES_MAX, IDENTITIES_MAX, KEY_TIME_MAX_MS,
    KEY_USE_EVERY_MS, KEYS_MAX, LINKS_MAX, NAME_CHARACTERS_MAX, SealedPassword,
};
use crate::access::{Permissions, Role};
use crate::event::Aggregate;
use crate::ids::AccountId;

/// Most characters of an issuer or a subject.
const IDENTITY_CHARACTERS_MAX: usize = 500;

/// An account as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Whether it was made.
    pub exists: bool,
    /// Whose it is.
    pub kind: AccountKind,
    /// What it is called.
    pub name: String,
    /// Where its user gets mail.
    pub email: Option<String>,
    /// For whom an agent acts.
    pub on_behalf_of: Option<AccountId>,
    /// What it is.
    pub roles: BTreeSet<Role>,
    /// Whether it lets nobody in.
    pub disabled: bool,
    /// Under which names identity providers know its user.
    pub identities: Vec<Identity>,
    /// Its password's digest.
    pub password: Option<SealedPassword>,
    /// Links that were not used, oldest first.
    pub links: Vec<SignInLink>,
    /// Keys that were not revoked, oldest first.
    pub keys: Vec<ApiKey>,
}

/// A name that an identity provider gives to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's address.
    pub issuer: String,
    /// The name there.
    pub subject: String,
}

/// A link that lets in once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignInLink {
    /// Which.
    pub link: String,
    /// SHA-256 of its secret, in hexadecimal.
    pub digest: String,
    /// Until when it lets in, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// A key that lets in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Which.
    pub key: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of its secret, in hexadecimal.
    pub digest: String,
    /// What it may do, of what its account may.
    pub scopes: Option<Permissions>,
    /// Until when it lets in, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// When it was last written down that it let in, in milliseconds since 1970.
    pub used_at_ms: Option<i64>,
}

impl Account {
    /// What it may do by its roles; an agent also no more than whom it acts for, which is for the caller to see to.
    pub fn permissions(&self) -> Permissions {
        if self.disabled {
            return Permissions::NONE;
        }
        self.roles.iter().fold(Permissions::NONE, |permissions, role| permissions | role.permissions())
    }

    /// Whether it lets in as an owner.
    pub fn owns(&self) -> bool {
        self.exists && !self.disabled && self.roles.contains(&Role::Owner)
    }

    fn check_exists(&self) -> Result<(), AccountRefusal> {
        if self.exists { Ok(()) } else { Err(AccountRefusal::NotFound) }
    }

    fn check_lets_in(&self) -> Result<(), AccountRefusal> {
        self.check_exists()?;
        if self.disabled { Err(AccountRefusal::Disabled) } else { Ok(()) }
    }

    fn check_signs_in(&self) -> Result<(), AccountRefusal> {
        self.check_lets_in()?;
        if self.kind == AccountKind::User { Ok(()) } else { Err(AccountRefusal::OnlyUsersSignIn) }
    }

    fn check_role(&self, kind: AccountKind, role: Role) -> Result<(), AccountRefusal> {
        let is_too_much = kind == AccountKind::Agent && matches!(role, Role::Owner | Role::Admin);
        if is_too_much { Err(AccountRefusal::RoleNotForAgents(role)) } else { Ok(()) }
    }

    fn create(&self, command: &AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let AccountCommand::Create { kind, name, email, on_behalf_of, roles } = command else { return Ok(Vec::new()) };
        if self.exists {
            return Err(AccountRefusal::AlreadyExists);
        }
        check_name(name)?;
        check_email(*kind, email.as_deref())?;
        match (kind, on_behalf_of) {
            (AccountKind::Agent, None) => return Err(AccountRefusal::NoPrincipal),
            (AccountKind::User | AccountKind::Service, Some(_)) => return Err(AccountRefusal::OnlyAgentsAct),
            _ => {}
        }
        let mut events = vec![AccountEvent::AccountCreated {
            kind: *kind,
            name: name.clone(),
            email: email.clone(),
            on_behalf_of: *on_behalf_of,
        }];
        for role in roles.iter().collect::<BTreeSet<_>>() {
            self.check_role(*kind, *role)?;
            events.push(AccountEvent::RoleGranted { role: *role });
        }
        Ok(events)
    }

    fn make_key(&self, command: &AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let AccountCommand::MakeKey { key, name, digest, scopes, expires_at_ms, now_ms } = command else {
            return Ok(Vec::new());
        };
        self.check_lets_in()?;
        check_name(name)?;
        if let Some(known) = self.keys.iter().find(|known| known.key == *key) {
            return if known.digest == *digest { Ok(Vec::new()) } else { Err(AccountRefusal::KeyTaken) };
        }
        // Keys that let in no more make room.
        let still_let_in = |known: &&ApiKey| known.expires_at_ms.is_none_or(|until| until > *now_ms);
        if self.keys.iter().filter(still_let_in).count() >= KEYS_MAX {
            return Err(AccountRefusal::TooManyKeys);
        }
        if scopes.is_some_and(Permissions::is_empty) {
            return Err(AccountRefusal::NoScopes);
        }
        let is_in_time = |until: i64| until > *now_ms && until.saturating_sub(*now_ms) <= KEY_TIME_MAX_MS;
        if !expires_at_ms.is_none_or(is_in_time) {
            return Err(AccountRefusal::InvalidExpiry);
        }
        Ok(vec![AccountEvent::ApiKeyMade {
            key: key.clone(),
            name: name.clone(),
            digest: digest.clone(),
            scopes: *scopes,
            expires_at_ms: *expires_at_ms,
        }])
    }

    fn use_link(&self, link: &str, digest: &str, now_ms: i64) -> Result<Vec<AccountEvent>, AccountRefusal> {
        self.check_signs_in()?;
        let found = self.links.iter().find(|known| known.link == link);
        match found {
            Some(known) if known.digest == digest && known.expires_at_ms > now_ms => {
                Ok(vec![AccountEvent::SignInLinkUsed { link: link.to_owned() }])
            }
            _ => Err(AccountRefusal::LinkNotValid),
        }
    }

    fn change_identity(&self, issuer: &str, subject: &str, link: bool) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let is_linked = self.identities.iter().any(|known| known.issuer == issuer && known.subject == subject);
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        if !link {
            self.check_exists()?;
            return if is_linked {
                Ok(vec![AccountEvent::IdentityUnlinked { issuer, subject }])
            } else {
                Err(AccountRefusal::IdentityNotFound)
            };
        }
        self.check_signs_in()?;
        let fits = |text: &str| (1..=IDENTITY_CHARACTERS_MAX).contains(&text.chars().count());
        match is_linked {
            true => Ok(Vec::new()),
            false if !fits(&issuer) || !fits(&subject) => Err(AccountRefusal::InvalidIdentity),
            false if self.identities.len() >= IDENTITIES_MAX => Err(AccountRefusal::TooManyIdentities),
            false => Ok(vec![AccountEvent::IdentityLinked { issuer, subject }]),
        }
    }

    fn change_role(&self, role: Role, give: bool, others_own: bool) -> Result<Vec<AccountEvent>, AccountRefusal> {
        self.check_exists()?;
        if self.roles.contains(&role) == give {
            return Ok(Vec::new());
        }
        if give {
            self.check_role(self.kind, role)?;
            return Ok(vec![AccountEvent::RoleGranted { role }]);
        }
        if role == Role::Owner && self.owns() && !others_own {
            return Err(AccountRefusal::LastOwner);
        }
        Ok(vec![AccountEvent::RoleRevoked { role }])
    }

    fn set_password(&self, command: &AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let event = match command {
            AccountCommand::SetPassword(sealed) => {
                self.check_signs_in()?;
                AccountEvent::PasswordSet { sealed: sealed.clone() }
            }
            AccountCommand::ResealPassword { from, sealed } => match &self.password {
                Some(now) if now == sealed => return Ok(Vec::new()),
                Some(now) if now == from => AccountEvent::PasswordResealed { sealed: sealed.clone() },
                _ => return Err(AccountRefusal::PasswordChanged),
            },
            _ => {
                self.check_exists()?;
                match self.password {
                    None => return Ok(Vec::new()),
                    Some(_) => AccountEvent::PasswordRemoved {},
                }
            }
        };
        Ok(vec![event])
    }

    fn key(&self, key: &str) -> Result<&ApiKey, AccountRefusal> {
        self.check_exists()?;
        self.keys.iter().find(|known| known.key == key).ok_or(AccountRefusal::KeyNotFound)
    }
}

impl Aggregate for Account {
    const FOLD_VERSION: u32 = 1;

    type Event = AccountEvent;
    type Command = AccountCommand;
    type Refusal = AccountRefusal;

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::AccountCreated { kind, name, email, on_behalf_of } => {
                (self.exists, self.kind, self.on_behalf_of) = (true, *kind, *on_behalf_of);
                (self.name, self.email) = (name.clone(), email.clone());
            }
            AccountEvent::AccountRenamed { name, email } => (self.name, self.email) = (name.clone(), email.clone()),
            AccountEvent::RoleGranted { role } => {
                self.roles.insert(*role);
            }
            AccountEvent::RoleRevoked { role } => {
                self.roles.remove(role);
            }
            AccountEvent::AccountDisabled {} => self.disabled = true,
            AccountEvent::AccountEnabled {} => self.disabled = false,
            AccountEvent::IdentityLinked { issuer, subject } => {
                self.identities.push(Identity { issuer: issuer.clone(), subject: subject.clone() });
            }
            AccountEvent::IdentityUnlinked { issuer, subject } => {
                self.identities.retain(|known| known.issuer != *issuer || known.subject != *subject);
            }
            AccountEvent::PasswordSet { sealed } | AccountEvent::PasswordResealed { sealed } => {
                self.password = Some(sealed.clone());
            }
            AccountEvent::PasswordRemoved {} => self.password = None,
            AccountEvent::SignInLinkMade { link, digest, expires_at_ms } => {
                if self.links.len() >= LINKS_MAX {
                    self.links.remove(0);
                }
                let (link, digest) = (link.clone(), digest.clone());
                self.links.push(SignInLink { link, digest, expires_at_ms: *expires_at_ms });
            }
            AccountEvent::SignInLinkUsed { link } => self.links.retain(|known| known.link != *link),
            AccountEvent::ApiKeyMade { key, name, digest, scopes, expires_at_ms } => self.keys.push(ApiKey {
                key: key.clone(),
                name: name.clone(),
                digest: digest.clone(),
                scopes: *scopes,
                expires_at_ms: *expires_at_ms,
                used_at_ms: None,
            }),
            AccountEvent::ApiKeyUsed { key, at_ms } => {
                if let Some(known) = self.keys.iter_mut().find(|known| known.key == *key) {
                    known.used_at_ms = Some(*at_ms);
                }
            }
            AccountEvent::ApiKeyRevoked { key } => self.keys.retain(|known| known.key != *key),
        }
    }

    fn decide(&self, command: &AccountCommand) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let event = match command {
            AccountCommand::Create { .. } => return self.create(command),
            AccountCommand::Rename { name, email } => {
                self.check_exists()?;
                check_name(name)?;
                check_email(self.kind, email.as_deref())?;
                if self.name == *name && self.email == *email {
                    return Ok(Vec::new());
                }
                AccountEvent::AccountRenamed { name: name.clone(), email: email.clone() }
            }
            AccountCommand::Grant(role) => return self.change_role(*role, true, true),
            AccountCommand::Revoke { role, others_own } => return self.change_role(*role, false, *others_own),
            AccountCommand::Disable { others_own } => {
                self.check_exists()?;
                match self.disabled {
                    true => return Ok(Vec::new()),
                    false if self.owns() && !others_own => return Err(AccountRefusal::LastOwner),
                    false => AccountEvent::AccountDisabled {},
                }
            }
            AccountCommand::Enable => {
                self.check_exists()?;
                if !self.disabled {
                    return Ok(Vec::new());
                }
                AccountEvent::AccountEnabled {}
            }
            AccountCommand::LinkIdentity { issuer, subject } => return self.change_identity(issuer, subject, true),
            AccountCommand::UnlinkIdentity { issuer, subject } => return self.change_identity(issuer, subject, false),
            AccountCommand::SetPassword(_) | AccountCommand::ResealPassword { .. } | AccountCommand::RemovePassword => {
                return self.set_password(command);
            }
            AccountCommand::MakeLink { link, digest, expires_at_ms } => {
                self.check_signs_in()?;
                let (link, digest) = (link.clone(), digest.clone());
                AccountEvent::SignInLinkMade { link, digest, expires_at_ms: *expires_at_ms }
            }
            AccountCommand::UseLink { link, digest, now_ms } => return self.use_link(link, digest, *now_ms),
            AccountCommand::MakeKey { .. } => return self.make_key(command),
            AccountCommand::NoteKeyUse { key, now_ms } => {
                let known = self.key(key)?.used_at_ms;
                if known.is_some_and(|used| now_ms.saturating_sub(used) < KEY_USE_EVERY_MS) {
                    return Ok(Vec::new());
                }
                AccountEvent::ApiKeyUsed { key: key.clone(), at_ms: *now_ms }
            }
            AccountCommand::RevokeKey { key } => AccountEvent::ApiKeyRevoked { key: self.key(key)?.key.clone() },
        };
        Ok(vec![event])
    }
}

fn check_name(name: &str) -> Result<(), AccountRefusal> {
    let count = name.chars().count();
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&count) && !name.chars().any(char::is_control);
    if fits && name.trim() == name { Ok(()) } else { Err(AccountRefusal::InvalidName) }
}

fn check_email(kind: AccountKind, email: Option<&str>) -> Result<(), AccountRefusal> {
    match (kind, email) {
        (AccountKind::User, None) => Err(AccountRefusal::NoEmail),
        (AccountKind::Service | AccountKind::Agent, None) => Ok(()),
        (AccountKind::Service | AccountKind::Agent, Some(_)) => Err(AccountRefusal::OnlyUsersHaveEmail),
        (AccountKind::User, Some(email)) => {
            let has_parts = email.rsplit_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
            let is_plain = !email.chars().any(|letter| letter.is_whitespace() || letter.is_control());
            let fits = has_parts && is_plain && email.len() <= EMAIL_BYTES_MAX;
            if fits { Ok(()) } else { Err(AccountRefusal::InvalidEmail) }
        }
    }
}
