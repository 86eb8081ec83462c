//! Copies of a log: equal row by row, taken up after an interruption, refused when the source is damaged.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rusqlite::Connection;
use tempfile::TempDir;
use timeloom_domain::ids::TenantId;
use timeloom_store::stored::EXPORT_BYTES_MAX;
use timeloom_store::transfer::{CopyError, CopyPhase, CopyReport, CopySource, CopyTarget, copy};
use timeloom_store::verify::verify;
use timeloom_store::{
    Append, BlobStore as _, Direction, EventLog, Filter, ImportError, LogError, LogIdentity, LogImport as _,
    LogTransfer, Position, Revision, StoredEvent, StreamKey, TenantScope,
};
use timeloom_store_sqlite::{OpenError, SqliteImport, SqliteLog, SqliteOptions, SqliteSource};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{append, open, options};

fn text_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn of_tenant(tenant: u32, append: Append) -> Append {
    let stream = StreamKey::new(TenantId(tenant), append.stream.category, append.stream.id);
    Append { stream, ..append }
}

/// Events of each append.
const EVENTS: u128 = 30;

/// Makes `appends` to a few streams of three tenants; the seventh of fifty is large.
async fn fill(log: &SqliteLog, first: u128, appends: u128) {
    for number in first..first + appends {
        let payload = match number % 50 {
            7 => text_of(70_000 + usize::try_from(number).unwrap()),
            _ => format!(r#"{{"n": {number},  "text": "ü"}}"#),
        };
        let next = append(&format!("s{}", number % 5), number * 100 + 1, EVENTS, &payload);
        log.append(of_tenant(u32::try_from(number % 3).unwrap(), next)).await.unwrap();
    }
}

/// A folder with so many appends.
async fn filled(appends: u128) -> TempDir {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    fill(&log, 1, appends).await;
    log.close().await;
    folder
}

pub(super) async fn copied(from: &Path, to: &Path) -> Result<CopyReport, CopyError> {
    let (log, blobs) = SqliteSource::open(from).unwrap();
    copied_from(CopySource { log: &*log, blobs: &*blobs }, to).await
}

async fn copied_from(source: CopySource<'_>, to: &Path) -> Result<CopyReport, CopyError> {
    let (import, blobs) = SqliteImport::open(to).unwrap();
    copy(source, CopyTarget { log: &*import, blobs: &*blobs }, |_| {}).await
}

async fn rows(log: &dyn LogTransfer) -> Vec<StoredEvent> {
    let mut rows: Vec<StoredEvent> = Vec::new();
    loop {
        let after = rows.last().map_or(Position::START, |row| row.position);
        let page = log.export(after, 700).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

async fn rows_in(folder: &Path) -> Vec<StoredEvent> {
    rows(&*SqliteSource::open(folder).unwrap().0).await
}

/// A source that breaks off after some pages.
struct Cut {
    log: Arc<SqliteSource>,
    pages: AtomicUsize,
}

#[async_trait]
impl LogTransfer for Cut {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        self.log.identity().await
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        if self.pages.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(LogError::Closed);
        }
        self.log.export(after, limit).await
    }
}

/// Copies no more than some pages of `from`.
async fn cut_off(from: &Path, to: &Path, pages: usize) {
    let (log, blobs) = SqliteSource::open(from).unwrap();
    let cut = Cut { log, pages: AtomicUsize::new(pages) };
    let failed = copied_from(CopySource { log: &cut, blobs: &*blobs }, to).await;
    assert!(matches!(failed, Err(CopyError::Source(LogError::Closed))), "{failed:?}");
}

/// Changes what the tables do not let anybody change.
fn damage(folder: &Path, change: &str) {
    let connection = Connection::open(folder.join("log.db")).unwrap();
    connection
        .execute_batch(&format!("DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete; {change}"))
        .unwrap();
}

#[tokio::test]
async fn a_copy_has_every_row_and_blob_and_can_be_used_as_the_log_itself() {
    let source = filled(100).await;
    let target = TempDir::new().unwrap();
    let report = copied(source.path(), target.path()).await.unwrap();
    assert_eq!((report.head, report.events, report.blobs), (Position(3_000), 3_000, 2));
    assert_eq!((report.log_id, report.verified_after), (Uuid::from_u128(7), Position(0)));
    let (ours, theirs) = (rows_in(target.path()).await, rows_in(source.path()).await);
    assert!(ours == theirs, "the rows differ");
    let tenants: HashSet<TenantId> = ours.iter().map(|row| row.stream.tenant).collect();
    assert_eq!(tenants.len(), 3);

    let (first, _) = open(source.path());
    let (second, _) = SqliteLog::open(target.path(), SqliteOptions::new(Uuid::from_u128(99), options().clock)).unwrap();
    assert_eq!(second.log_id(), Uuid::from_u128(7), "a copy is the same log");
    let stream = StreamKey::new(TenantId(1), "order", "s2");
    for direction in [Direction::Forward, Direction::Backward] {
        let read = async |log: &SqliteLog| log.read_stream(&stream, Revision(150), direction, 1_000).await.unwrap();
        assert_eq!(read(&second).await, read(&first).await);
    }
    let repeated = second.append(of_tenant(1, append("s2", 701, EVENTS, &text_of(70_007)))).await.unwrap();
    assert!(repeated.repeated, "the command was carried out before the copy was made");
    let next = second.append(of_tenant(1, append("s2", 1_000_000, 1, "1"))).await.unwrap();
    assert_eq!((next.position, next.revision), (Position(3_001), Revision(211)));
    let new = second.append(of_tenant(9, append("new", 2_000_000, 1, "1"))).await.unwrap();
    assert_eq!(new.revision, Revision(1));
}

#[tokio::test]
async fn attachments_that_payloads_name_are_copied_and_what_only_looks_like_one_is_not_missed() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    let kept = [blobs.put(vec![1; 20_000].into()).await.unwrap(), blobs.put(vec![2; 20_000].into()).await.unwrap()];
    let never = timeloom_store::BlobHash::of(b"never stored");
    let naming = |id: String, filling: usize| format!("{{\"id\":\"{id}\",\"f\":\"{}\"}}", "x".repeat(filling));
    // In a row, and in a payload that is a blob itself.
    log.append(append("a", 1, 1, &naming(kept[0].attachment_id(), 0))).await.unwrap();
    log.append(append("a", 101, 1, &naming(kept[1].attachment_id(), 100_000))).await.unwrap();
    log.append(append("a", 201, 1, &naming(never.attachment_id(), 0))).await.unwrap();
    log.append(append("a", 301, 1, &naming("blob:short".to_owned(), 0))).await.unwrap();
    drop((log, blobs));
    let target = TempDir::new().unwrap();
    assert_eq!(copied(folder.path(), target.path()).await.unwrap().blobs, 3);
    let (_log, blobs) = open(target.path());
    for hash in kept {
        assert_eq!(blobs.get(hash).await.unwrap().len(), 20_000);
    }
}

#[tokio::test]
async fn a_page_ends_before_it_is_large_and_never_without_a_whole_append() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    for number in 0..5 {
        log.append(append("a", number * 100 + 1, 60, &text_of(60_000))).await.unwrap();
    }
    let page = log.export(Position(0), 1_000).await.unwrap();
    let bytes: usize = page.iter().map(StoredEvent::text_bytes).sum();
    assert!((EXPORT_BYTES_MAX..EXPORT_BYTES_MAX + 70_000).contains(&bytes), "{bytes}");
    assert!(page.iter().any(|event| event.append.is_some()));
    assert_eq!(log.export(Position(300), 1_000).await.unwrap(), []);
    let target = TempDir::new().unwrap();
    drop(log);
    assert_eq!(copied(folder.path(), target.path()).await.unwrap().events, 300);
}

#[tokio::test]
async fn an_unfinished_copy_is_refused_until_another_run_takes_it_up() {
    let source = filled(120).await;
    let target = TempDir::new().unwrap();
    cut_off(source.path(), target.path(), 2).await;

    let refused = SqliteLog::open(target.path(), options()).unwrap_err();
    assert!(matches!(refused, OpenError::UnfinishedCopy { .. }), "{refused:?}");
    assert!(refused.to_string().contains("run the `timeloom log` verb"), "{refused}");
    assert!(matches!(SqliteSource::open(target.path()), Err(OpenError::UnfinishedCopy { .. })));

    let report = copied(source.path(), target.path()).await.unwrap();
    let written: u64 = 3_600 - report.events;
    assert!((1_500..=2_000).contains(&written), "{written} rows were there, whole appends of two pages");
    assert_eq!((written % 30, report.verified_after), (0, Position(0)));
    assert!(rows_in(target.path()).await == rows_in(source.path()).await, "the rows differ");
}

#[tokio::test]
async fn a_finished_copy_takes_what_is_new_and_is_a_log_all_the_while() {
    let source = filled(60).await;
    let target = TempDir::new().unwrap();
    copied(source.path(), target.path()).await.unwrap();
    let (log, _) = open(source.path());
    fill(&log, 61, 90).await;
    log.close().await;
    drop(log);

    cut_off(source.path(), target.path(), 2).await;
    let (log, _) = open(target.path());
    let head = log.head();
    assert!(head > Position(1_800) && head < Position(4_500), "{head}");
    assert_eq!(
        log.read_all(TenantScope::All, head, Direction::Backward, &Filter::default(), 10).await.unwrap().len(),
        10
    );
    drop(log);

    let report = copied(source.path(), target.path()).await.unwrap();
    assert_eq!((report.events, report.verified_after), (4_500 - head.0, Position(1_800)));
    assert!(rows_in(target.path()).await == rows_in(source.path()).await, "the rows differ");
    let report = copied(source.path(), target.path()).await.unwrap();
    assert_eq!((report.events, report.verified_after), (0, Position(4_500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_while_appends_go_on() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    fill(&log, 1, 40).await;
    let mut writers = JoinSet::new();
    let writing = Arc::clone(&log);
    writers.spawn(async move { fill(&writing, 41, 60).await });
    let target = TempDir::new().unwrap();
    let mut phases = Vec::new();
    let (import, target_blobs) = SqliteImport::open(target.path()).unwrap();
    let source = CopySource { log: &*log, blobs: &*blobs };
    let report = copy(source, CopyTarget { log: &*import, blobs: &*target_blobs }, |progress| {
        assert!(progress.after < progress.position && progress.position <= progress.end);
        phases.push(progress.phase);
    });
    let report = report.await.unwrap();
    assert!(report.head >= Position(1_200) && phases.contains(&CopyPhase::Copying), "{report:?}");
    assert_eq!(phases.last(), Some(&CopyPhase::Verifying));
    writers.join_all().await;
    let all = rows(&*log).await;
    assert_eq!(all.len(), 3_000);
    let kept = usize::try_from(report.head.0).unwrap();
    assert!(rows(&*import).await == all[..kept], "the copy is not the beginning of the log");
}

#[tokio::test]
async fn a_changed_byte_is_refused_at_its_position_and_the_target_stays_unfinished() {
    let source = filled(70).await;
    damage(source.path(), r#"UPDATE events SET payload = '{"n":1}' WHERE position = 1500"#);
    let target = TempDir::new().unwrap();
    let failed = copied(source.path(), target.path()).await.unwrap_err();
    assert!(matches!(failed, CopyError::Target(ImportError::WrongLeaf(Position(1_500)))), "{failed:?}");
    assert!(failed.to_string().contains("the source is damaged"), "{failed}");
    assert!(matches!(SqliteLog::open(target.path(), options()), Err(OpenError::UnfinishedCopy { .. })));
}

#[tokio::test]
async fn a_gap_and_a_lost_blob_of_the_source_are_refused_at_their_positions() {
    let source = filled(70).await;
    let named = rows_in(source.path()).await.into_iter().find(|row| row.payload.starts_with(r#"{"$blob""#)).unwrap();
    let (log, blobs) = SqliteSource::open(source.path()).unwrap();
    let hash = named.payload.split('"').nth(5).unwrap().to_owned();
    drop((log, blobs));
    let file = source.path().join("blobs").join(&hash[..2]).join(&hash[2..]);
    let content = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let failed = copied(source.path(), TempDir::new().unwrap().path()).await.unwrap_err();
    assert!(matches!(failed, CopyError::SourceBlob { position, .. } if position == named.position), "{failed:?}");
    std::fs::write(&file, content).unwrap();

    damage(source.path(), "DELETE FROM events WHERE position BETWEEN 1201 AND 1230");
    let failed = copied(source.path(), TempDir::new().unwrap().path()).await.unwrap_err();
    assert!(matches!(failed, CopyError::SourceDamaged { position: Position(1_201), .. }), "{failed:?}");
}

#[tokio::test]
async fn another_log_another_history_and_an_older_source_are_refused_and_nothing_is_written() {
    let source = filled(2).await;
    let other = TempDir::new().unwrap();
    let (log, _) = SqliteLog::open(other.path(), SqliteOptions::new(Uuid::from_u128(8), options().clock)).unwrap();
    fill(&log, 1, 1).await;
    drop(log);
    let failed = copied(source.path(), other.path()).await.unwrap_err();
    assert!(matches!(failed, CopyError::Target(ImportError::OtherLog { .. })), "{failed:?}");
    assert_eq!(rows_in(other.path()).await.len(), 30);

    // The same log id and the same events, but recorded at other times.
    let rewritten = filled(1).await;
    let failed = copied(source.path(), rewritten.path()).await.unwrap_err();
    assert!(matches!(failed, CopyError::Diverged(Position(30))), "{failed:?}");
    let longer = filled(3).await;
    let failed = copied(source.path(), longer.path()).await.unwrap_err();
    assert!(matches!(failed, CopyError::Ahead { target: Position(90), source_head: Position(60) }), "{failed:?}");
    assert_eq!((rows_in(rewritten.path()).await.len(), rows_in(longer.path()).await.len()), (30, 90));
}

#[tokio::test]
async fn rows_that_do_not_follow_are_not_imported() {
    let source = filled(3).await;
    let all = rows_in(source.path()).await;
    let target = TempDir::new().unwrap();
    let (import, _) = SqliteImport::open(target.path()).unwrap();
    import.begin(Uuid::from_u128(7)).await.unwrap();
    let failed = import.import(all[3..].to_vec()).await.unwrap_err();
    assert!(matches!(failed, ImportError::NotNext { head: Position(0), found: Position(4) }), "{failed:?}");
    let failed = import.import(all[..4].to_vec()).await.unwrap_err();
    assert!(matches!(failed, ImportError::AppendNotEnded(Position(4))), "{failed:?}");
    let mut changed = all.clone();
    changed[4].recorded_at_us += 1;
    let failed = import.import(changed).await.unwrap_err();
    assert!(matches!(failed, ImportError::WrongLeaf(Position(5))), "{failed:?}");
    assert_eq!(import.identity().await.unwrap().head, Position(0));
    import.import(all).await.unwrap();
    assert_eq!(import.identity().await.unwrap().head, Position(90));
}

#[tokio::test]
async fn verifying_names_every_fault_and_finds_none_in_what_is_whole() {
    let source = filled(10).await;
    let whole = async |folder: &Path| {
        let (log, blobs) = SqliteSource::open(folder).unwrap();
        verify(&*log, &*blobs, |_| {}).await.unwrap()
    };
    let report = whole(source.path()).await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.events, report.head, report.streams, report.blobs), (300, Position(300), 10, 1));

    damage(
        source.path(),
        r#"UPDATE events SET payload = '{"n":1}' WHERE position = 30;
           UPDATE events SET recorded_at = 5 WHERE position = 60;
           DELETE FROM events WHERE position = 90;"#,
    );
    std::fs::remove_dir_all(source.path().join("blobs")).unwrap();
    let report = whole(source.path()).await;
    let positions: HashSet<u64> = report.first_faults.iter().map(|fault| fault.position.0).collect();
    // Of the row that is gone, the next one tells; the blob is named by all rows of its append.
    for position in [30, 60, 91, 181, 210] {
        assert!(positions.contains(&position), "{position} is not in {report:?}");
    }
    assert!(!report.is_whole() && !positions.contains(&29) && !positions.contains(&31));
}

#[tokio::test]
async fn an_empty_log_has_an_empty_copy_that_is_finished() {
    let (source, target) = (filled(0).await, TempDir::new().unwrap());
    let report = copied(source.path(), target.path()).await.unwrap();
    assert_eq!((report.head, report.events), (Position(0), 0));
    let (log, _) = open(target.path());
    assert_eq!(log.append(append("a", 1, 1, "1")).await.unwrap().position, Position(1));
}

#[test]
fn a_source_that_is_not_there_is_not_made() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("nothing");
    let refused = SqliteSource::open(&missing).unwrap_err();
    assert!(matches!(refused, OpenError::NoLog { .. }), "{refused:?}");
    assert!(!missing.exists());
}
