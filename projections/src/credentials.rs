//! Credentials: which there are and what fields they have. No value of a field is here, not even sealed.

use timeloom_domain::credential::CredentialEvent;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{CredentialId, TenantId};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One credential.
#[derive(Debug, Clone, PartialEq)]
pub struct CredentialRow {
    /// Its id.
    pub id: CredentialId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub credential_type: String,
    /// The names of its fields.
    pub fields: Vec<String>,
    /// Fingerprint of the key under which its fields are sealed.
    pub key: String,
    /// How often it was saved.
    pub version: u64,
    /// Whether nobody may use it any more.
    pub deleted: bool,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The read model.
pub(crate) struct Credentials;

static TABLE: Table = Table {
    name: "credentials",
    key: &[blob("id")],
    classed: false,
    columns: &[
        text("name"),
        text("credential_type"),
        text("fields"),
        text("sealing_key"),
        integer("saved_count"),
        integer("deleted"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "credentials_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for Credentials {
    const NAME: &'static str = "credentials";
    const VERSION: u32 = 2;
    const CATEGORY: &'static str = CredentialEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, CredentialId);
    type Row = CredentialRow;
    type Fact = (CredentialId, CredentialEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let id = CredentialId(stream_uuid(event)?);
        let fact = read_payload::<CredentialEvent, CredentialEvent>(event)?;
        Ok(Some(((event.stream.tenant, id), (id, fact))))
    }

    fn fold(current: Option<&CredentialRow>, (id, fact): Self::Fact, event: &RecordedEvent) -> Folded<CredentialRow> {
        let provenance =
            current.map_or_else(|| Provenance::created_by(event), |current| current.provenance.updated_by(event));
        let row = match (fact, current) {
            (CredentialEvent::CredentialSaved { name, credential_type, fields, sealed }, _) => {
                let version = current.map_or(0, |current| current.version) + 1;
                CredentialRow {
                    id,
                    name,
                    credential_type,
                    fields,
                    key: sealed.key,
                    version,
                    deleted: false,
                    provenance,
                }
            }
            (_, None) => return Folded::Nothing,
            (CredentialEvent::CredentialResealed { sealed }, Some(current)) => {
                CredentialRow { key: sealed.key, provenance, ..current.clone() }
            }
            (CredentialEvent::CredentialDeleted {}, Some(current)) => {
                CredentialRow { deleted: true, provenance, ..current.clone() }
            }
        };
        Folded::Version(row)
    }

    fn from(row: &CredentialRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a CredentialRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.name).into(),
            (&row.credential_type).into(),
            Value::json(&row.fields)?,
            (&row.key).into(),
            row.version.into(),
            row.deleted.into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<CredentialRow, StorageError> {
        read_row(cells)
    }
}

/// One credential as it was at `as_of`.
pub(crate) fn one(named: &Named, tenant: TenantId, id: CredentialId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Credentials that could be used at `as_of`, newest first.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page) -> Query {
    named.page(Rows {
        tenant,
        as_of,
        page: *page,
        index: "credentials_created",
        conditions: vec![("version.deleted = ?", false.into())],
    })
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<CredentialRow, StorageError> {
    let id = CredentialId(cells.take()?);
    let from = cells.take()?;
    Ok(CredentialRow {
        id,
        name: cells.take()?,
        credential_type: cells.take()?,
        fields: cells.take_json()?,
        key: cells.take()?,
        version: cells.take()?,
        deleted: cells.take()?,
        provenance: Provenance::take(cells, from)?,
    })
}
