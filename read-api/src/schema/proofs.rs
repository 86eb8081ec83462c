//! What proves the log to whoever does not believe this server: signed checkpoints, proofs of the tree over the log, the keys
//! that sign, and events as they are hashed. Whoever reads them leaves an event.

use async_graphql::{Context, Object, Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use timeloom_domain::access::Permission;
use timeloom_store::leaf::record_of;
use timeloom_store::proofs::{ProofsError, StoredCheckpoint};
use timeloom_store::{Direction, Position};
use timeloom_verify::Checkpoint;
use timeloom_verify::hexadecimal;
use timeloom_verify::key::PublicKey;
use uuid::Uuid;

use super::access::look;
use super::faults::{bad_input, coded, fault};
use super::permitted::check;
use super::reading::state;
use super::scalars::PositionScalar;
use crate::state::{ApiState, Proofs};

/// Checkpoints of a list when nothing is said.
const CHECKPOINTS_DEFAULT: i32 = 20;
/// Most checkpoints of a list.
const CHECKPOINTS_MAX: i32 = 100;

/// What the log said of itself at a moment, signed. Whoever keeps one can find out later whether history was changed.
#[derive(Debug, SimpleObject)]
struct AuditCheckpoint {
    /// Which log: the name of the keys that sign it.
    origin: String,
    /// How many events the log had: those up to this position.
    size: PositionScalar,
    /// The root of the tree over them, in base64.
    root: String,
    /// When the last of them was recorded.
    recorded_at: Option<DateTime<Utc>>,
    /// The whole signed note, as it is to be kept.
    note: String,
    /// Names of the keys that signed it, witnesses too.
    signed_by: Vec<String>,
}

/// The proof that an event is in a tree: RFC 6962, hashes in hexadecimal digits.
#[derive(Debug, SimpleObject)]
struct InclusionProof {
    /// The position of the event.
    position: PositionScalar,
    /// The size of the tree.
    size: PositionScalar,
    /// The event's leaf.
    leaf: String,
    /// The root of the tree.
    root: String,
    /// The hashes from the leaf up.
    path: Vec<String>,
}

/// The proof that one tree is the beginning of another: RFC 6962, hashes in hexadecimal digits.
#[derive(Debug, SimpleObject)]
struct ConsistencyProof {
    /// The size of the smaller tree.
    from: PositionScalar,
    /// The size of the larger tree.
    to: PositionScalar,
    /// The root of the smaller tree.
    from_root: String,
    /// The root of the larger tree.
    to_root: String,
    /// The hashes.
    path: Vec<String>,
}

/// A key that signs checkpoints.
#[derive(Debug, SimpleObject)]
struct AuditKey {
    /// Its name: the log's origin.
    name: String,
    /// Its id: eight hexadecimal digits.
    id: String,
    /// The line for a file of keys, with the time in which it may be used.
    key: String,
    /// Its 32 bytes, in base64.
    public_key: String,
    /// From when on it may be used; absent = always.
    valid_from: Option<DateTime<Utc>>,
    /// Until when; absent = it is in use.
    valid_until: Option<DateTime<Utc>>,
}

/// An event as it is hashed: its leaf follows from these fields.
#[derive(Debug, SimpleObject)]
struct AuditRecord {
    /// Its place in the log.
    position: PositionScalar,
    /// Whose it is.
    tenant: u32,
    /// Kind of what it is about.
    category: String,
    /// Id of what it is about.
    stream: String,
    /// Its place in its stream, as a decimal number.
    revision: String,
    /// Its id.
    id: Uuid,
    /// Name of its type.
    #[graphql(name = "type")]
    event_type: String,
    /// Version of its payload's shape.
    version: u32,
    /// When it was recorded, in microseconds since 1970, as a decimal number.
    recorded_at_us: String,
    /// The payload byte for byte as it is stored; the reference to it where it is too large for an event.
    payload: String,
    /// The metadata byte for byte as it is stored.
    metadata: String,
    /// The leaf that was stored with it, in hexadecimal digits.
    leaf: String,
}

/// The reads of proofs.
#[derive(Debug, Default)]
pub struct ProofsQuery;

#[Object]
impl ProofsQuery {
    /// The newest signed checkpoint, or the one of this size; null when there is none. Needs `audit:read`.
    #[graphql(complexity = "child_complexity + 5")]
    async fn audit_checkpoint(
        &self,
        context: &Context<'_>,
        size: Option<PositionScalar>,
    ) -> Result<Option<AuditCheckpoint>> {
        let (_, proofs) = proofs(context, "checkpoints", size.map(|size| size.0.to_string())).await?;
        let found = match size {
            None => proofs.log.newest_checkpoint().await.map_err(|error| refusal(&error))?,
            Some(PositionScalar(Position(size))) => {
                let found = proofs.log.tree().checkpoints(size..=size, Direction::Forward, 1).await;
                found.map_err(|error| fault(&error))?.pop()
            }
        };
        found.map(AuditCheckpoint::try_from).transpose()
    }

    /// Signed checkpoints, newest first: at most a hundred, those of fewer events than `before`. Needs `audit:read`.
    #[graphql(complexity = "usize::try_from(first.unwrap_or(20)).unwrap_or(20) * child_complexity + 5")]
    async fn audit_checkpoints(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        before: Option<PositionScalar>,
    ) -> Result<Vec<AuditCheckpoint>> {
        let first = first.unwrap_or(CHECKPOINTS_DEFAULT);
        if !(1..=CHECKPOINTS_MAX).contains(&first) {
            return Err(bad_input(format!("first must be from 1 to {CHECKPOINTS_MAX}")));
        }
        let (_, proofs) = proofs(context, "checkpoints", None).await?;
        let newest = before.map_or(u64::MAX >> 1, |PositionScalar(before)| before.0.saturating_sub(1));
        // At most a hundred, as was checked.
        let found = proofs.log.tree().checkpoints(0..=newest, Direction::Backward, first as usize).await;
        found.map_err(|error| fault(&error))?.into_iter().map(AuditCheckpoint::try_from).collect()
    }

    /// The proof that the event at `position` is in the tree of the first `size` events. Needs `audit:read`.
    #[graphql(complexity = "child_complexity + 10")]
    async fn inclusion_proof(
        &self,
        context: &Context<'_>,
        position: PositionScalar,
        size: PositionScalar,
    ) -> Result<InclusionProof> {
        let which = format!("position {} in {}", position.0, size.0);
        let (_, Proofs { log, .. }) = proofs(context, "inclusion proof", Some(which)).await?;
        let path = log.inclusion(position.0.0, size.0.0).await.map_err(|error| refusal(&error))?;
        let leaf = log.leaf(position.0.0).await.map_err(|error| refusal(&error))?;
        let root = log.root(size.0.0).await.map_err(|error| refusal(&error))?;
        let path = path.iter().map(hexadecimal::encode).collect();
        Ok(InclusionProof { position, size, leaf: hexadecimal::encode(&leaf), root: hexadecimal::encode(&root), path })
    }

    /// The proof that the tree of the first `from` events is the beginning of that of the first `to`. Needs `audit:read`.
    #[graphql(complexity = "child_complexity + 10")]
    async fn consistency_proof(
        &self,
        context: &Context<'_>,
        from: PositionScalar,
        to: PositionScalar,
    ) -> Result<ConsistencyProof> {
        let (_, Proofs { log, .. }) =
            proofs(context, "consistency proof", Some(format!("{} in {}", from.0, to.0))).await?;
        let path = log.consistency(from.0.0, to.0.0).await.map_err(|error| refusal(&error))?;
        let from_root = log.root(from.0.0).await.map_err(|error| refusal(&error))?;
        let to_root = log.root(to.0.0).await.map_err(|error| refusal(&error))?;
        let (from_root, to_root) = (hexadecimal::encode(&from_root), hexadecimal::encode(&to_root));
        Ok(ConsistencyProof { from, to, from_root, to_root, path: path.iter().map(hexadecimal::encode).collect() })
    }

    /// The keys that sign checkpoints, and those that did. An auditor takes them from whom they trust. Needs `audit:read`.
    #[graphql(complexity = "10 * child_complexity + 5")]
    async fn audit_keys(&self, context: &Context<'_>) -> Result<Vec<AuditKey>> {
        let (_, proofs) = proofs(context, "keys of checkpoints", None).await?;
        let keys = (proofs.keys)().map_err(|message| coded("NO_KEYS", message))?;
        Ok(keys.into_iter().map(AuditKey::from).collect())
    }

    /// The event at a position as it is hashed; null when there is none, or it is another tenant's. Needs `audit:read`.
    #[graphql(complexity = "child_complexity + 10")]
    async fn audit_record(&self, context: &Context<'_>, position: PositionScalar) -> Result<Option<AuditRecord>> {
        let (state, _) = proofs(context, "event as it is hashed", Some(format!("position {}", position.0))).await?;
        let (Some(stored), Some(after)) = (state.stored(), position.0.0.checked_sub(1)) else { return Ok(None) };
        let found = stored.log.export(Position(after), 1).await.map_err(|error| fault(&error))?;
        let found = found.into_iter().next();
        let Some(event) = found.filter(|event| event.position == position.0 && event.stream.tenant == state.tenant())
        else {
            return Ok(None);
        };
        let record = record_of(&event);
        Ok(Some(AuditRecord {
            position,
            tenant: record.tenant,
            category: record.category.to_owned(),
            stream: record.stream.to_owned(),
            revision: record.revision.to_string(),
            id: event.id.0,
            event_type: record.event_type.to_owned(),
            version: record.event_version.into(),
            recorded_at_us: record.recorded_at_us.to_string(),
            leaf: hexadecimal::encode(&event.leaf),
            payload: event.payload,
            metadata: event.metadata,
        }))
    }
}

impl TryFrom<StoredCheckpoint> for AuditCheckpoint {
    type Error = async_graphql::Error;

    fn try_from(stored: StoredCheckpoint) -> Result<Self> {
        let (checkpoint, note) = Checkpoint::parse(&stored.note).map_err(|error| fault(&error))?;
        Ok(Self {
            origin: checkpoint.origin,
            size: PositionScalar(Position(checkpoint.size)),
            root: STANDARD.encode(checkpoint.root),
            recorded_at: DateTime::from_timestamp_micros(checkpoint.recorded_at_us),
            signed_by: note.signatures.into_iter().map(|signature| signature.name).collect(),
            note: stored.note,
        })
    }
}

impl From<PublicKey> for AuditKey {
    fn from(key: PublicKey) -> Self {
        let time = |time: Option<i64>| time.and_then(DateTime::from_timestamp_micros);
        Self {
            name: key.name.clone(),
            id: key.id_text(),
            key: key.to_string(),
            public_key: STANDARD.encode(key.bytes()),
            valid_from: time(key.validity.from_us),
            valid_until: time(key.validity.until_us),
        }
    }
}

/// Where proofs come from, for those who may read the audit trail, once it is written down that they do.
async fn proofs<'a>(
    context: &Context<'a>,
    what: &'static str,
    which: Option<String>,
) -> Result<(&'a ApiState, &'a Proofs)> {
    let state = state(context)?;
    check(state, Permission::AuditRead)?;
    let message = "the log of this server is in memory: nothing of it is proved";
    let proofs = state.proofs().ok_or_else(|| coded("NOTHING_STORED", message))?;
    look(context, state, what, which).await?;
    Ok((state, proofs))
}

fn refusal(error: &ProofsError) -> async_graphql::Error {
    match error {
        ProofsError::Range(range) => bad_input(range.to_string()),
        ProofsError::Behind { .. } | ProofsError::NoCheckpoint { .. } | ProofsError::Damaged(_) => {
            coded("BEHIND", error.to_string())
        }
        ProofsError::HistoryChanged { .. } | ProofsError::Log(_) => fault(error),
    }
}
