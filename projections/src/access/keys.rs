//! Keys of accounts: what they may do, until when, and who made and revoked them. No digest is here.

use timeloom_domain::access::Permissions;
use timeloom_domain::account::AccountEvent;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_store::{Position, RecordedEvent};

use super::By;
use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKeyRow {
    /// Whose it is.
    pub account: AccountId,
    /// Which: the part of the key that may be seen.
    pub key: String,
    /// What it is for.
    pub name: String,
    /// What it may do, of what its account may; `None` = all of it.
    pub scopes: Option<Permissions>,
    /// Until when it lets in, in milliseconds since 1970; `None` = until it is revoked.
    pub expires_at_ms: Option<i64>,
    /// When it was last written down that it let in, in milliseconds since 1970.
    pub used_at_ms: Option<i64>,
    /// Who made it.
    pub made: By,
    /// Who revoked it.
    pub revoked: Option<By>,
    /// Which events made it.
    pub provenance: Provenance,
}

impl ApiKeyRow {
    /// What finds it: its account and its name.
    pub fn id(account: AccountId, key: &str) -> String {
        format!("{account}/{key}")
    }

    /// Whether it is neither revoked nor expired at a time, in milliseconds since 1970.
    pub fn lets_in_at(&self, now_ms: i64) -> bool {
        self.revoked.is_none() && self.expires_at_ms.is_none_or(|until| until > now_ms)
    }

    /// What it may do, of these permissions of its account.
    pub fn permissions(&self, account: Permissions) -> Permissions {
        self.scopes.map_or(account, |scopes| scopes.and(account))
    }
}

/// Which keys to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ApiKeyFilter {
    /// Only those of this account.
    pub account: Option<AccountId>,
    /// Only those that let in at a time, in milliseconds since 1970, being neither revoked nor expired; or only the others.
    pub lets_in: Option<(bool, i64)>,
}

/// The read model.
pub(crate) struct ApiKeys;

/// What an event says about a key.
pub(crate) enum ApiKeyFact {
    Made { account: AccountId, key: String, name: String, scopes: Option<Permissions>, expires_at_ms: Option<i64> },
    Used(i64),
    Revoked,
}

static TABLE: Table = Table {
    name: "api_keys",
    key: &[text("id")],
    classed: false,
    columns: &[
        blob("account"),
        text("key"),
        text("name"),
        text("scopes").optional(),
        integer("expires_at_ms").optional(),
        // For questions: a key that never expires does so at the end of time.
        integer("lets_in_until_ms"),
        integer("used_at_ms").optional(),
        text("made"),
        text("revoked").optional(),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "api_keys_created", columns: &["created_position"], closed: false },
        Index { name: "api_keys_account", columns: &["account", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for ApiKeys {
    const NAME: &'static str = "api_keys";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = AccountEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, String);
    type Row = ApiKeyRow;
    type Fact = ApiKeyFact;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, ApiKeyFact)>, FoldError> {
        let account = AccountId(stream_uuid(event)?);
        let (key, fact) = match read_payload::<AccountEvent, AccountEvent>(event)? {
            AccountEvent::ApiKeyMade { key, name, scopes, expires_at_ms, .. } => {
                (key.clone(), ApiKeyFact::Made { account, key, name, scopes, expires_at_ms })
            }
            AccountEvent::ApiKeyUsed { key, at_ms } => (key, ApiKeyFact::Used(at_ms)),
            AccountEvent::ApiKeyRevoked { key } => (key, ApiKeyFact::Revoked),
            _ => return Ok(None),
        };
        Ok(Some(((event.stream.tenant, ApiKeyRow::id(account, &key)), fact)))
    }

    fn fold(current: Option<&ApiKeyRow>, fact: ApiKeyFact, event: &RecordedEvent) -> Folded<ApiKeyRow> {
        let provenance =
            current.map_or_else(|| Provenance::created_by(event), |current| current.provenance.updated_by(event));
        Folded::Version(match (fact, current) {
            (ApiKeyFact::Made { account, key, name, scopes, expires_at_ms }, _) => ApiKeyRow {
                account,
                key,
                name,
                scopes,
                expires_at_ms,
                used_at_ms: None,
                made: event.into(),
                revoked: None,
                provenance,
            },
            (_, None) => return Folded::Nothing,
            (ApiKeyFact::Used(at_ms), Some(current)) => {
                ApiKeyRow { used_at_ms: Some(at_ms), provenance, ..current.clone() }
            }
            (ApiKeyFact::Revoked, Some(current)) => {
                ApiKeyRow { revoked: Some(event.into()), provenance, ..current.clone() }
            }
        })
    }

    fn from(row: &ApiKeyRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), id.into()]);
    }

    fn values<'a>(row: &'a ApiKeyRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        let json = |by: &By| Value::json(by);
        values.extend([
            (&row.account.0).into(),
            (&row.key).into(),
            (&row.name).into(),
            row.scopes.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
            row.expires_at_ms.into(),
            row.expires_at_ms.unwrap_or(i64::MAX).into(),
            row.used_at_ms.into(),
            json(&row.made)?,
            row.revoked.as_ref().map(json).transpose()?.unwrap_or(Value::Null),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<ApiKeyRow, StorageError> {
        read_row(cells)
    }
}

/// One key as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, account: AccountId, key: &str, as_of: AsOf) -> Query {
    named.one(tenant, ApiKeyRow::id(account, key).into(), as_of)
}

/// Keys as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: ApiKeyFilter) -> Query {
    let mut conditions = Vec::new();
    let index = match filter.account {
        Some(account) => {
            conditions.push(("newest.account = ?", account.0.into()));
            "api_keys_account"
        }
        None => "api_keys_created",
    };
    match filter.lets_in {
        Some((true, now_ms)) => {
            conditions.push(("version.revoked IS NULL AND version.lets_in_until_ms > ?", now_ms.into()));
        }
        Some((false, now_ms)) => {
            conditions.push(("(version.revoked IS NOT NULL OR version.lets_in_until_ms <= ?)", now_ms.into()));
        }
        None => {}
    }
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<ApiKeyRow, StorageError> {
    let _: String = cells.take()?;
    let from = cells.take()?;
    let account = AccountId(cells.take()?);
    let (key, name, scopes, expires_at_ms) = (cells.take()?, cells.take()?, cells.take_optional_json()?, cells.take()?);
    let _: i64 = cells.take()?;
    Ok(ApiKeyRow {
        account,
        key,
        name,
        scopes,
        expires_at_ms,
        used_at_ms: cells.take()?,
        made: cells.take_json()?,
        revoked: cells.take_optional_json()?,
        provenance: Provenance::take(cells, from)?,
    })
}
