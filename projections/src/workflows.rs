//! Workflows: what each is called, how large it is, what is published. The definition itself is read from the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timeloom_domain::definition::{Settings, WorkflowDefinition, WorkflowDurability};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_domain::workflow::{Folder, Rollout, WorkflowEvent};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Dialect, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{check_type, read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowRow {
    /// Its id.
    pub id: WorkflowId,
    /// Name of the draft.
    pub name: String,
    /// Nodes of the draft.
    pub node_count: u64,
    /// Settings of the draft.
    pub settings: SettingsSummary,
    /// The newest published version.
    pub published_version: Option<u32>,
    /// The version that takes calls and schedules.
    pub active_version: Option<u32>,
    /// The version that is tried out beside it.
    pub rollout: Option<RolloutRow>,
    /// Where people keep it.
    pub folder: Folder,
    /// Whether it was put away.
    pub archived: bool,
    /// Which events made it.
    pub provenance: Provenance,
}

/// A version that a part of the production executions runs beside the active one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRow {
    /// Which, and for what part.
    pub rollout: Rollout,
    /// Position of the event that began it.
    pub since: Position,
    /// When it began, in milliseconds since 1970.
    pub since_ms: i64,
}

/// The settings that decide how a workflow runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingsSummary {
    /// `v1`: depth first; absent or `v0`: breadth first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_order: Option<String>,
    /// IANA time zone; the deployment's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds after which an execution is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<f64>,
    /// Workflow to start when an execution fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_workflow: Option<String>,
    /// Most executions at once; more wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Of those that wait for a place, the one with the highest priority is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Whether branches run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_branches: Option<bool>,
    /// What a step survives before the next begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<WorkflowDurability>,
}

impl From<&Settings> for SettingsSummary {
    fn from(settings: &Settings) -> Self {
        Self {
            execution_order: settings.execution_order.clone(),
            timezone: settings.timezone.clone(),
            execution_timeout: settings.execution_timeout,
            error_workflow: settings.error_workflow.clone(),
            concurrency: settings.concurrency,
            priority: settings.priority,
            parallel_branches: settings.parallel_branches,
            durability: settings.durability,
        }
    }
}

/// Which workflows to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Only those put away, or only those not; `None` = both.
    pub archived: Option<bool>,
    /// Only those with this in their names, in whatever case.
    pub name: Option<String>,
    /// Only those in this folder, or in folders within it.
    pub folder: Option<Folder>,
}

/// The read model.
pub(crate) struct Workflows;

/// What an event says about a workflow.
pub(crate) enum WorkflowFact {
    Defined { id: WorkflowId, definition: Arc<WorkflowDefinition> },
    Published(u32),
    SettingsChanged(SettingsSummary),
    PinsChanged,
    Activated(Option<u32>),
    RolloutStarted(Rollout),
    RolloutChanged(u8),
    RolloutEnded,
    Moved(Folder),
    Archived,
    Unarchived,
}

static TABLE: Table = Table {
    name: "workflows",
    key: &[blob("id")],
    classed: false,
    columns: &[
        text("name"),
        text("name_folded"),
        text("folder"),
        integer("node_count"),
        text("settings"),
        integer("published_version").optional(),
        integer("active_version").optional(),
        text("rollout").optional(),
        integer("archived"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "workflows_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for Workflows {
    const NAME: &'static str = "workflows";
    const VERSION: u32 = 6;
    const CATEGORY: &'static str = WorkflowEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, WorkflowId);
    type Row = WorkflowRow;
    type Fact = WorkflowFact;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, WorkflowFact)>, FoldError> {
        let key = (event.stream.tenant, WorkflowId(stream_uuid(event)?));
        check_type::<WorkflowEvent>(event)?;
        // Pinned items are data: they may be large and no row shows them.
        if &*event.event_type == "WorkflowPinsChanged" {
            return Ok(Some((key, WorkflowFact::PinsChanged)));
        }
        let fact = match read_payload::<WorkflowEvent, WorkflowEvent>(event)? {
            WorkflowEvent::WorkflowCreated { definition } | WorkflowEvent::WorkflowUpdated { definition } => {
                WorkflowFact::Defined { id: key.1, definition }
            }
            WorkflowEvent::WorkflowVersionPublished { version } => WorkflowFact::Published(version),
            WorkflowEvent::WorkflowSettingsChanged { settings } => WorkflowFact::SettingsChanged((&settings).into()),
            WorkflowEvent::WorkflowPinsChanged { .. } => WorkflowFact::PinsChanged,
            WorkflowEvent::WorkflowActivated { version } => WorkflowFact::Activated(Some(version)),
            WorkflowEvent::WorkflowDeactivated {} => WorkflowFact::Activated(None),
            WorkflowEvent::WorkflowTestListeningStarted { .. } => return Ok(None),
            WorkflowEvent::WorkflowMoved { folder } => WorkflowFact::Moved(folder),
            WorkflowEvent::WorkflowArchived {} => WorkflowFact::Archived,
            WorkflowEvent::WorkflowUnarchived {} => WorkflowFact::Unarchived,
            WorkflowEvent::WorkflowRolloutStarted { rollout, version, percent, guard } => {
                WorkflowFact::RolloutStarted(Rollout { number: rollout, version, percent, guard })
            }
            WorkflowEvent::WorkflowRolloutChanged { percent, .. } => WorkflowFact::RolloutChanged(percent),
            WorkflowEvent::WorkflowRolloutPromoted { .. } | WorkflowEvent::WorkflowRolloutRolledBack { .. } => {
                WorkflowFact::RolloutEnded
            }
        };
        Ok(Some((key, fact)))
    }

    fn fold(current: Option<&WorkflowRow>, fact: WorkflowFact, event: &RecordedEvent) -> Folded<WorkflowRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => WorkflowRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, WorkflowFact::Defined { id, .. }) => WorkflowRow {
                id: *id,
                name: String::new(),
                node_count: 0,
                settings: SettingsSummary::default(),
                published_version: None,
                active_version: None,
                rollout: None,
                folder: Folder::default(),
                archived: false,
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        match fact {
            WorkflowFact::Defined { definition, .. } => {
                row.name.clone_from(&definition.name);
                row.node_count = definition.nodes.len() as u64;
                row.settings = (&definition.settings).into();
            }
            WorkflowFact::Published(version) => row.published_version = Some(version),
            WorkflowFact::SettingsChanged(settings) => row.settings = settings,
            WorkflowFact::PinsChanged => {}
            WorkflowFact::Activated(version) => {
                row.active_version = version;
                row.rollout = None;
            }
            WorkflowFact::RolloutStarted(rollout) => {
                let since_ms = event.recorded_at.timestamp_millis();
                row.rollout = Some(RolloutRow { rollout, since: event.position, since_ms });
            }
            WorkflowFact::RolloutChanged(percent) => {
                if let Some(row) = &mut row.rollout {
                    row.rollout.percent = percent;
                }
            }
            WorkflowFact::RolloutEnded => row.rollout = None,
            WorkflowFact::Moved(folder) => row.folder = folder,
            WorkflowFact::Archived => {
                row.archived = true;
                row.active_version = None;
                row.rollout = None;
            }
            WorkflowFact::Unarchived => row.archived = false,
        }
        Folded::Version(row)
    }

    fn from(row: &WorkflowRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a WorkflowRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.name).into(),
            row.name.to_lowercase().into(),
            row.folder.enclosed().into(),
            row.node_count.into(),
            Value::json(&row.settings)?,
            row.published_version.into(),
            row.active_version.into(),
            row.rollout.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
            row.archived.into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<WorkflowRow, StorageError> {
        read_row(cells)
    }
}

/// One workflow as it was at `as_of`.
pub(crate) fn one(named: &Named, tenant: TenantId, id: WorkflowId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Workflows as they were at `as_of`, newest first.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &WorkflowFilter) -> Query {
    let mut conditions: Vec<(&'static str, Value<'static>)> = Vec::new();
    if let Some(archived) = filter.archived {
        conditions.push(("version.archived = ?", archived.into()));
    }
    let (has_name, is_within) = match named.dialect {
        Dialect::Sqlite => ("instr(version.name_folded, ?) > 0", "instr(version.folder, ?) = 1"),
        Dialect::Postgres => ("strpos(version.name_folded, ?) > 0", "strpos(version.folder, ?) = 1"),
    };
    if let Some(name) = &filter.name {
        conditions.push((has_name, name.to_lowercase().into()));
    }
    if let Some(folder) = &filter.folder {
        conditions.push((is_within, folder.enclosed().into()));
    }
    named.page(Rows { tenant, as_of, page: *page, index: "workflows_created", conditions })
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<WorkflowRow, StorageError> {
    let id = WorkflowId(cells.take()?);
    let from = cells.take()?;
    let name = cells.take()?;
    let (_, enclosed): (String, String) = (cells.take()?, cells.take()?);
    let folder = Folder::try_new(enclosed.trim_matches('/')).unwrap_or_default();
    Ok(WorkflowRow {
        id,
        name,
        folder,
        node_count: cells.take()?,
        settings: cells.take_json()?,
        published_version: cells.take()?,
        active_version: cells.take()?,
        rollout: cells.take_optional_json()?,
        archived: cells.take()?,
        provenance: Provenance::take(cells, from)?,
    })
}
