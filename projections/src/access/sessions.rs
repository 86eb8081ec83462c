//! Sessions: who signed in how, from where, and until when that lets in. No digest is here.

use timeloom_domain::event::Event;
use timeloom_domain::ids::{AccountId, SessionId, TenantId};
use timeloom_domain::session::{SESSION_IDLE_MAX_MS, SessionEnd, SessionEvent, SignInMethod};
use timeloom_store::{Position, RecordedEvent};

use super::By;
use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// How they showed who they are.
    pub method: SignInMethod,
    /// From which address, where that is known.
    pub address: Option<String>,
    /// What the browser said it is.
    pub user_agent: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it was last written down that it let in, in milliseconds since 1970.
    pub used_at_ms: i64,
    /// Until when it lets in at most, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// Why it ended before its time.
    pub ended: Option<SessionEnd>,
    /// Who ended it.
    pub ended_by: Option<By>,
    /// Which events made it.
    pub provenance: Provenance,
}

impl SessionRow {
    /// Until when it lets in unless it is used again, in milliseconds since 1970; `None` once it ended.
    pub fn lets_in_until_ms(&self) -> Option<i64> {
        let idle = self.used_at_ms.saturating_add(SESSION_IDLE_MAX_MS);
        self.ended.is_none().then(|| self.expires_at_ms.min(idle))
    }
}

/// Which sessions to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SessionFilter {
    /// Only those of this account.
    pub account: Option<AccountId>,
    /// Only those that let in at a time, in milliseconds since 1970; or only the others.
    pub lets_in: Option<(bool, i64)>,
}

/// The read model.
pub(crate) struct Sessions;

static TABLE: Table = Table {
    name: "sessions",
    key: &[blob("id")],
    classed: false,
    columns: &[
        blob("account"),
        text("method"),
        text("address").optional(),
        text("user_agent").optional(),
        integer("started_at_ms"),
        integer("used_at_ms"),
        integer("expires_at_ms"),
        // For questions: 0 once it ended.
        integer("lets_in_until_ms"),
        text("ended").optional(),
        text("ended_by").optional(),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "sessions_created", columns: &["created_position"], closed: false },
        Index { name: "sessions_account", columns: &["account", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for Sessions {
    const NAME: &'static str = "sessions";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = SessionEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, SessionId);
    type Row = SessionRow;
    type Fact = (SessionId, SessionEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let id = SessionId(stream_uuid(event)?);
        let fact = read_payload::<SessionEvent, SessionEvent>(event)?;
        Ok(Some(((event.stream.tenant, id), (id, fact))))
    }

    fn fold(current: Option<&SessionRow>, (id, fact): Self::Fact, event: &RecordedEvent) -> Folded<SessionRow> {
        let provenance =
            current.map_or_else(|| Provenance::created_by(event), |current| current.provenance.updated_by(event));
        Folded::Version(match (fact, current) {
            (SessionEvent::SessionStarted { account, method, at_ms, expires_at_ms, address, user_agent, .. }, _) => {
                SessionRow {
                    id,
                    account,
                    method,
                    address,
                    user_agent,
                    started_at_ms: at_ms,
                    used_at_ms: at_ms,
                    expires_at_ms,
                    ended: None,
                    ended_by: None,
                    provenance,
                }
            }
            (_, None) => return Folded::Nothing,
            (SessionEvent::SessionUsed { at_ms }, Some(current)) => {
                SessionRow { used_at_ms: at_ms, provenance, ..current.clone() }
            }
            (SessionEvent::SessionEnded { why }, Some(current)) => {
                SessionRow { ended: Some(why), ended_by: Some(event.into()), provenance, ..current.clone() }
            }
        })
    }

    fn from(row: &SessionRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a SessionRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.account.0).into(),
            row.method.name().into(),
            row.address.as_ref().into(),
            row.user_agent.as_ref().into(),
            row.started_at_ms.into(),
            row.used_at_ms.into(),
            row.expires_at_ms.into(),
            row.lets_in_until_ms().unwrap_or(0).into(),
            row.ended.map(end_word).into(),
            row.ended_by.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<SessionRow, StorageError> {
        read_row(cells)
    }
}

/// One session as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: SessionId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Sessions as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: SessionFilter) -> Query {
    let mut conditions = Vec::new();
    let index = match filter.account {
        Some(account) => {
            conditions.push(("newest.account = ?", account.0.into()));
            "sessions_account"
        }
        None => "sessions_created",
    };
    if let Some((lets_in, now_ms)) = filter.lets_in {
        let condition = if lets_in { "version.lets_in_until_ms > ?" } else { "version.lets_in_until_ms <= ?" };
        conditions.push((condition, now_ms.into()));
    }
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// The words that the table holds for ways to sign in.
const METHODS: [(SignInMethod, &str); 3] = [
    (SignInMethod::Link, SignInMethod::Link.name()),
    (SignInMethod::Password, SignInMethod::Password.name()),
    (SignInMethod::Oidc, SignInMethod::Oidc.name()),
];

fn end_word(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::SignedOut => "signed_out",
        SessionEnd::Revoked => "revoked",
    }
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<SessionRow, StorageError> {
    let id = SessionId(cells.take()?);
    let from = cells.take()?;
    let account = AccountId(cells.take()?);
    let method = cells.take_word(&METHODS)?;
    let (address, user_agent) = (cells.take()?, cells.take()?);
    let (started_at_ms, used_at_ms, expires_at_ms) = (cells.take()?, cells.take()?, cells.take()?);
    let _: i64 = cells.take()?;
    let ended: Option<String> = cells.take()?;
    Ok(SessionRow {
        id,
        account,
        method,
        address,
        user_agent,
        started_at_ms,
        used_at_ms,
        expires_at_ms,
        ended: ended.map(|word| if word == "revoked" { SessionEnd::Revoked } else { SessionEnd::SignedOut }),
        ended_by: cells.take_optional_json()?,
        provenance: Provenance::take(cells, from)?,
    })
}
