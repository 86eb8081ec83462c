//! The suite of every backend against a log whose events are archived as soon as there is a newer append.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use timeloom_archive::{Places, SegmentWriter};
use timeloom_domain::ids::TenantId;
use timeloom_store::archive::{Archivable, Segment};
use timeloom_store::conformance::Fresh;
use timeloom_store::stored::EXPORT_EVENTS_MAX;
use timeloom_store::{
    Append, AppendError, Appended, BlobStore, Direction, EventLog, Filter, LogError, LogIdentity, LogTransfer,
    Position, RecordedEvent, Revision, StreamKey, Subscription, TenantScope, Wanted, event_log_conformance,
};
use tokio::sync::Mutex;

use crate::{PLACE, open};

/// A log of which everything but the newest append is archived before an append is answered, when nobody else does it.
pub(crate) struct Archived {
    log: Arc<dyn EventLog>,
    rows: Arc<dyn Archivable>,
    places: Places,
    place: String,
    archiving: Mutex<()>,
}

impl Archived {
    pub(crate) fn new(log: Arc<dyn EventLog>, rows: Arc<dyn Archivable>, places: Places) -> Self {
        Self { log, rows, places, place: PLACE.to_owned(), archiving: Mutex::new(()) }
    }

    /// Archives into this folder.
    pub(crate) fn into_folder(self, folder: &std::path::Path) -> Self {
        Self { place: folder.to_str().unwrap().to_owned(), ..self }
    }

    async fn archive(&self) {
        let Ok(_alone) = self.archiving.try_lock() else { return };
        let at = self.rows.archived().await.unwrap();
        let LogIdentity { log_id, head } = self.rows.identity().await.unwrap();
        let mut writer = SegmentWriter::new(log_id, Position(at.registered.0 + 1));
        let mut rows = Vec::new();
        let mut after = at.registered;
        while after < head {
            let page = self.rows.export(after, EXPORT_EVENTS_MAX).await.unwrap();
            after = page.last().unwrap().position;
            rows.extend(page);
        }
        rows.retain(|row| row.position < head);
        let whole = rows.iter().rposition(|row| row.append.is_some()).map_or(0, |last| last + 1);
        if whole == 0 {
            return;
        }
        rows[..whole].iter().for_each(|row| writer.add(row).unwrap());
        let sealed = writer.seal().unwrap();
        let place = self.places.named(&self.place).unwrap();
        self.places.open(&place).unwrap().put(&sealed.name, sealed.bytes.clone().into()).await.unwrap();
        let segment = Segment {
            first: sealed.index.first,
            last: sealed.index.last,
            place,
            name: sealed.name,
            bytes: sealed.bytes.len() as u64,
            sha256: sealed.sha256,
            index_sha256: sealed.index_sha256,
            last_us: sealed.index.last_us,
        };
        self.rows.register(segment).await.unwrap();
        while {
            let archived = self.rows.drop_some().await.unwrap();
            archived.dropped < archived.registered
        } {}
    }
}

#[async_trait]
impl EventLog for Archived {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let appended = self.log.append(append).await?;
        self.archive().await;
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.read_all(scope, after, direction, filter, limit).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.look_up(scope, wanted).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.log.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.log.head()
    }

    fn newest_of(&self, category: &str) -> Option<Position> {
        self.log.newest_of(category)
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.log.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.log.position_at(time_us).await
    }
}

fn archived(folder: &TempDir) -> (Arc<dyn EventLog>, Arc<dyn BlobStore>) {
    archived_at(folder.path())
}

fn archived_at(folder: &std::path::Path) -> (Arc<dyn EventLog>, Arc<dyn BlobStore>) {
    let (log, blobs) = open(folder);
    let rows = Arc::clone(&log) as Arc<dyn Archivable>;
    (Arc::new(Archived::new(log, rows, Places::new(folder))), blobs)
}

async fn fresh() -> Fresh {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let (log, blobs) = archived(&folder);
    let fresh = Fresh::new(log, blobs).keeping(folder).reopened_by(move || std::future::ready(archived_at(&path)));
    std::future::ready(fresh).await
}

event_log_conformance!(fresh);

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_gone_and_everything_is_read_all_the_same() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    let wrapped = Archived::new(
        Arc::clone(&log) as Arc<dyn EventLog>,
        Arc::clone(&log) as Arc<dyn Archivable>,
        Places::new(folder.path()),
    );
    for number in 0..20 {
        wrapped.append(crate::append(&format!("o-{}", number % 3), number * 100 + 1, 3)).await.unwrap();
    }
    let archived = log.archived().await.unwrap();
    assert_eq!((archived.registered, archived.dropped), (Position(57), Position(57)));
    let rows: i64 = rusqlite_rows(folder.path());
    assert_eq!(rows, 3, "only the newest append is among the rows");
    let all = log.read_all(TenantScope::All, Position::START, Direction::Forward, &Filter::default(), 1_000).await;
    let positions: Vec<u64> = all.unwrap().iter().map(|event| event.position.0).collect();
    assert_eq!(positions, (1..=60).collect::<Vec<_>>());
    let filter = Filter { event_types: vec!["HappenedToo".into()], ..Filter::default() };
    for (direction, after) in [(Direction::Forward, Position::START), (Direction::Backward, Position(60))] {
        let found = log.read_all(TenantScope::One(TenantId(1)), after, direction, &filter, 7).await.unwrap();
        assert_eq!(found.len(), 7);
        assert!(found.iter().all(|event| &*event.event_type == "HappenedToo"));
    }
    let exported = log.export(Position(10), 1_000).await.unwrap();
    assert_eq!((exported.len(), exported[0].position), (50, Position(11)));
}

fn rusqlite_rows(folder: &std::path::Path) -> i64 {
    let connection = rusqlite::Connection::open(folder.join("log.db")).unwrap();
    connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}
