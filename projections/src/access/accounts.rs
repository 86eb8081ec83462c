//! Accounts: who they are of, and what they are, each role with who gave it.
//!
//! Every event of an account makes a version, those of its keys too, so that a row's revision is the account's.

use serde::{Deserialize, Serialize};
use timeloom_domain::access::{Permissions, Role};
use timeloom_domain::account::{AccountEvent, AccountKind, Identity};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_store::{Position, RecordedEvent};
use uuid::Uuid;

use super::By;
use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountRow {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub kind: AccountKind,
    /// What it is called.
    pub name: String,
    /// Where its user gets mail.
    pub email: Option<String>,
    /// For whom an agent acts.
    pub on_behalf_of: Option<AccountId>,
    /// Whether it lets nobody in.
    pub disabled: bool,
    /// Whether a password lets in.
    pub has_password: bool,
    /// What it is, in the order in which it became so.
    pub roles: Vec<RoleGrant>,
    /// Under which names identity providers know its user.
    pub identities: Vec<Identity>,
    /// Which events made it.
    pub provenance: Provenance,
}

/// A role that an account has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleGrant {
    /// The role.
    pub role: Role,
    /// Who gave it, when and why.
    pub by: By,
}

impl AccountRow {
    /// What it may do by its roles; an agent also no more than whom it acts for.
    pub fn permissions(&self) -> Permissions {
        if self.disabled {
            return Permissions::NONE;
        }
        self.roles.iter().fold(Permissions::NONE, |permissions, grant| permissions | grant.role.permissions())
    }

    /// How the roles are looked for: each between commas.
    fn role_names(&self) -> String {
        self.roles.iter().fold(",".to_owned(), |names, grant| names + grant.role.name() + ",")
    }
}

/// Which accounts to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AccountFilter {
    /// Only those of this kind.
    pub kind: Option<AccountKind>,
    /// Only those that have this role.
    pub role: Option<Role>,
    /// Only those that let nobody in, or only those that do.
    pub disabled: Option<bool>,
}

/// The read model.
pub(crate) struct Accounts;

static TABLE: Table = Table {
    name: "accounts",
    key: &[blob("id")],
    classed: false,
    columns: &[
        text("kind"),
        text("name"),
        text("email").optional(),
        blob("on_behalf_of").optional(),
        integer("disabled"),
        integer("has_password"),
        text("role_names"),
        text("roles"),
        text("identities"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "accounts_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for Accounts {
    const NAME: &'static str = "accounts";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = AccountEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, AccountId);
    type Row = AccountRow;
    type Fact = (AccountId, AccountEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let id = AccountId(stream_uuid(event)?);
        let fact = read_payload::<AccountEvent, AccountEvent>(event)?;
        Ok(Some(((event.stream.tenant, id), (id, fact))))
    }

    fn fold(current: Option<&AccountRow>, (id, fact): Self::Fact, event: &RecordedEvent) -> Folded<AccountRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => AccountRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, AccountEvent::AccountCreated { kind, on_behalf_of, .. }) => AccountRow {
                id,
                kind: *kind,
                name: String::new(),
                email: None,
                on_behalf_of: *on_behalf_of,
                disabled: false,
                has_password: false,
                roles: Vec::new(),
                identities: Vec::new(),
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        match fact {
            AccountEvent::AccountCreated { name, email, .. } | AccountEvent::AccountRenamed { name, email } => {
                (row.name, row.email) = (name, email);
            }
            AccountEvent::RoleGranted { role } => {
                row.roles.retain(|grant| grant.role != role);
                row.roles.push(RoleGrant { role, by: event.into() });
            }
            AccountEvent::RoleRevoked { role } => row.roles.retain(|grant| grant.role != role),
            AccountEvent::AccountDisabled {} => row.disabled = true,
            AccountEvent::AccountEnabled {} => row.disabled = false,
            AccountEvent::IdentityLinked { issuer, subject } => row.identities.push(Identity { issuer, subject }),
            AccountEvent::IdentityUnlinked { issuer, subject } => {
                row.identities.retain(|known| known.issuer != issuer || known.subject != subject);
            }
            AccountEvent::PasswordSet { .. } | AccountEvent::PasswordResealed { .. } => row.has_password = true,
            AccountEvent::PasswordRemoved {} => row.has_password = false,
            AccountEvent::SignInLinkMade { .. }
            | AccountEvent::SignInLinkUsed { .. }
            | AccountEvent::ApiKeyMade { .. }
            | AccountEvent::ApiKeyUsed { .. }
            | AccountEvent::ApiKeyRevoked { .. } => {}
        }
        Folded::Version(row)
    }

    fn from(row: &AccountRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a AccountRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            row.kind.name().into(),
            (&row.name).into(),
            row.email.as_ref().into(),
            row.on_behalf_of.as_ref().map(|account| &account.0).into(),
            row.disabled.into(),
            row.has_password.into(),
            row.role_names().into(),
            Value::json(&row.roles)?,
            Value::json(&row.identities)?,
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<AccountRow, StorageError> {
        read_row(cells)
    }
}

/// One account as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: AccountId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Accounts as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: AccountFilter) -> Query {
    let kind = filter.kind.map(|kind| ("version.kind = ?", kind.name().into()));
    let role = filter.role.map(|role| ("version.role_names LIKE ?", format!("%,{role},%").into()));
    let disabled = filter.disabled.map(|disabled| ("version.disabled = ?", disabled.into()));
    named.page(Rows {
        tenant,
        as_of,
        page: *page,
        index: "accounts_created",
        conditions: [kind, role, disabled].into_iter().flatten().collect(),
    })
}

/// The words that the table holds for kinds.
const KINDS: [(AccountKind, &str); 3] = [
    (AccountKind::User, AccountKind::User.name()),
    (AccountKind::Service, AccountKind::Service.name()),
    (AccountKind::Agent, AccountKind::Agent.name()),
];

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<AccountRow, StorageError> {
    let id = AccountId(cells.take()?);
    let from = cells.take()?;
    let kind = cells.take_word(&KINDS)?;
    let (name, email) = (cells.take()?, cells.take()?);
    let on_behalf_of: Option<Uuid> = cells.take()?;
    let (disabled, has_password) = (cells.take()?, cells.take()?);
    // What is looked for by is in the roles themselves.
    let _: String = cells.take()?;
    Ok(AccountRow {
        id,
        kind,
        name,
        email,
        on_behalf_of: on_behalf_of.map(AccountId),
        disabled,
        has_password,
        roles: cells.take_json()?,
        identities: cells.take_json()?,
        provenance: Provenance::take(cells, from)?,
    })
}
