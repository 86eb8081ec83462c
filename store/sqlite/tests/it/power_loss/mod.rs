//! What was acknowledged survives the loss of power: a disk keeps what was synced and any part of the rest.

mod disk;
mod vfs;

use std::sync::Arc;

use tempfile::TempDir;
use timeloom_store::conformance::{Chance, TellSeed, seeds};
use timeloom_store::log::{FLUSH_MS_MAX, STRICT_CATEGORIES};
use timeloom_store::verify::verify;
use timeloom_store::{AskedDurability, Durability, DurabilityChoice, EventLog, LogTransfer, Position};
use timeloom_store_sqlite::{OpenError, SqliteBlobs, SqliteLog, SqliteOptions};
use tokio::task::JoinSet;

use self::disk::Disk;
use crate::migration::{check_selective_reads, folder_of_first_version};
use crate::{append, options};

const FIXED_SEEDS: u64 = 30;
const WRITERS: u128 = 4;
/// Times that the power goes before it stays.
const LIVES: u128 = 3;
/// Changes and syncs of the disk before the power goes, at most. Making a log takes some forty.
const OPERATIONS_MAX: u64 = 300;

/// The last position and last event id of an append that was acknowledged.
type Acknowledged = (Position, u128);

/// A log on a disk that can lose its power.
struct Machine {
    folder: TempDir,
    disk: Arc<Disk>,
}

impl Machine {
    fn new(folder: TempDir, operations: Option<u64>) -> Self {
        let disk = Arc::new(Disk::of(folder.path(), operations));
        vfs::mount(folder.path(), Arc::clone(&disk));
        Self { folder, disk }
    }

    fn open(&self, options: SqliteOptions) -> Result<(Arc<SqliteLog>, Arc<SqliteBlobs>), OpenError> {
        SqliteLog::open(self.folder.path(), SqliteOptions { vfs: Some(vfs::NAME.to_owned()), ..options })
    }

    /// The folder as it is when the power is back.
    fn after_power_loss(&self, chance: &mut Chance) -> TempDir {
        let folder = TempDir::new().unwrap();
        self.disk.write_what_is_left(folder.path(), chance);
        folder
    }
}

/// Several append at the same time, with more or fewer events, until the power is off.
async fn append_until_it_fails(log: &Arc<SqliteLog>, first: u128, chance: &mut Chance) -> Vec<Acknowledged> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(log);
        let count = 1 + u128::from(chance.below(4));
        let payload = format!("\"{}\"", "x".repeat(10 + chance.index(5_000)));
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..u128::MAX {
                let first_id = first + (writer << 64) + number * 10 + 100;
                match log.append(append(&format!("s{writer}"), first_id, count, &payload)).await {
                    Ok(appended) => acknowledged.push((appended.position, first_id + count)),
                    Err(_) => break,
                }
            }
            acknowledged
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

/// The log has no fault and everything that was acknowledged.
async fn check(log: &Arc<SqliteLog>, blobs: &Arc<SqliteBlobs>, acknowledged: &[Acknowledged]) {
    let report = verify(&**log, &**blobs, |_| {}).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.head, log.head());
    for (position, id) in acknowledged {
        assert!(*position <= report.head, "{position} was acknowledged, the log ends at {}", report.head);
        assert_eq!(last_id(log, *position).await, *id);
    }
}

async fn last_id(log: &SqliteLog, position: Position) -> u128 {
    log.export(Position(position.0 - 1), 1).await.unwrap()[0].id.0.as_u128()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_events_survive_the_loss_of_power() {
    for seed in seeds(FIXED_SEEDS) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let mut folder = TempDir::new().unwrap();
        let mut acknowledged = Vec::new();
        for life in 0..LIVES {
            let machine = Machine::new(folder, Some(chance.below(OPERATIONS_MAX)));
            match machine.open(options()) {
                Ok((log, blobs)) => {
                    if !machine.disk.is_off() {
                        acknowledged.extend(append_until_it_fails(&log, life << 96, &mut chance).await);
                    }
                    drop((log, blobs));
                }
                // In the middle of opening it.
                Err(error) => assert!(machine.disk.is_off(), "{error}"),
            }
            folder = machine.after_power_loss(&mut chance);
        }
        let machine = Machine::new(folder, None);
        let (log, blobs) = machine.open(options()).unwrap();
        check(&log, &blobs, &acknowledged).await;
        let head = log.head();
        let more = log.append(append("more", 7, 1, "1")).await.unwrap();
        assert_eq!(more.position.0, head.0 + 1);
    }
}

/// Whenever the power goes while a log is made, what is left can be opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_can_be_made_again_when_the_power_went_while_it_was_made() {
    let whole = Machine::new(TempDir::new().unwrap(), None);
    drop(whole.open(options()).unwrap());
    for operations in 0..whole.disk.operations() {
        let mut chance = Chance::new(operations);
        let machine = Machine::new(TempDir::new().unwrap(), Some(operations));
        drop(machine.open(options()));
        assert!(machine.disk.is_off());
        // The very first writes of a database are the ones that can leave it without its beginning.
        for _ in 0..if operations < 8 { 12 } else { 2 } {
            let after = Machine::new(machine.after_power_loss(&mut chance), None);
            let (log, blobs) = after.open(options()).unwrap_or_else(|error| panic!("after {operations}: {error}"));
            check(&log, &blobs, &[]).await;
            log.append(append("a", 7, 1, "1")).await.unwrap();
        }
    }
}

fn relaxed(flush_ms: u32) -> SqliteOptions {
    SqliteOptions { durability: DurabilityChoice::Relaxed { flush_ms }, ..options() }
}

fn asked(chance: &mut Chance) -> AskedDurability {
    match chance.below(3) {
        0 => AskedDurability::Strict,
        1 => AskedDurability::Relaxed,
        _ => AskedDurability::OfTheLog,
    }
}

/// Ids of the last events of relaxed appends, in the order in which they were acknowledged.
async fn append_one_by_one(log: &SqliteLog, first: u128, count: u128) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    for number in 0..count {
        let append = append("a", first + number * 10, 2, "1").asking(AskedDurability::Relaxed);
        let appended = log.append(append).await.unwrap();
        assert!(matches!(appended.durability, Durability::Relaxed { .. }), "{:?}", appended.durability);
        acknowledged.push((appended.position, first + number * 10 + 2));
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_appends_lose_nothing_but_the_end_of_the_log() {
    let mut lost = 0;
    for seed in seeds(FIXED_SEEDS) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let machine = Machine::new(TempDir::new().unwrap(), None);
        // So long that nothing is flushed but by the strict append.
        let (log, blobs) = machine.open(relaxed(FLUSH_MS_MAX)).unwrap();
        let mut kept = append_one_by_one(&log, 100, u128::from(chance.below(20))).await;
        let mut strict = append("strict", 5_000, 1, "1");
        strict.stream.category = STRICT_CATEGORIES[chance.index(STRICT_CATEGORIES.len())].into();
        let appended = log.append(strict).await.unwrap();
        assert_eq!(appended.durability, Durability::Strict);
        kept.push((appended.position, 5_001));
        let later = append_one_by_one(&log, 10_000, u128::from(chance.below(20))).await;
        machine.disk.power_off();
        drop((log, blobs));

        let machine = Machine::new(machine.after_power_loss(&mut chance), None);
        let (log, blobs) = machine.open(options()).unwrap();
        check(&log, &blobs, &kept).await;
        // Of the rest a beginning is there, and nothing else.
        let there = later.iter().filter(|(position, _)| *position <= log.head()).count();
        check(&log, &blobs, &later[..there]).await;
        assert_eq!(log.head().0, (kept.len() * 2 - 1 + there * 2) as u64);
        lost += later.len() - there;
    }
    assert!(seeds(FIXED_SEEDS).len() == 1 || lost > 0, "relaxed appends are as slow as strict ones");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_appends_are_on_the_disk_soon_without_any_other_append() {
    // Whether the deployment chose it or the append asked for it.
    for choice in [relaxed(50), options()] {
        let machine = Machine::new(TempDir::new().unwrap(), None);
        let (log, blobs) = machine.open(choice).unwrap();
        let acknowledged = append_one_by_one(&log, 100, 1).await;
        machine.disk.wait_until_all_is_certain();
        machine.disk.power_off();
        drop((log, blobs));
        let machine = Machine::new(machine.after_power_loss(&mut Chance::new(1)), None);
        let (log, blobs) = machine.open(relaxed(50)).unwrap();
        check(&log, &blobs, &acknowledged).await;
    }
}

/// What was answered as relaxed and is asked for again as strict is on the disk when that is answered, though nothing is
/// written for it; an append without events that asks to be strict takes everything before it along too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_again_for_more_puts_what_is_there_on_the_disk() {
    for seed in seeds(FIXED_SEEDS) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let machine = Machine::new(TempDir::new().unwrap(), None);
        let (log, blobs) = machine.open(relaxed(FLUSH_MS_MAX)).unwrap();
        let acknowledged = append_one_by_one(&log, 100, 1 + u128::from(chance.below(20))).await;
        let mut again = append("a", 100, 2, "1");
        if chance.happens(500) {
            again.events.clear();
        }
        let appended = log.append(again.asking(AskedDurability::Strict)).await.unwrap();
        assert_eq!(appended.durability, Durability::Strict);
        machine.disk.power_off();
        drop((log, blobs));
        let machine = Machine::new(machine.after_power_loss(&mut chance), None);
        let (log, blobs) = machine.open(options()).unwrap();
        check(&log, &blobs, &acknowledged).await;
    }
}

/// A process that was killed leaves events that the disk may not have. Once they were shown to anybody, they stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_after_a_kill_survives_the_loss_of_power() {
    for seed in seeds(10) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let machine = Machine::new(TempDir::new().unwrap(), None);
        let (log, blobs) = machine.open(relaxed(FLUSH_MS_MAX)).unwrap();
        let acknowledged = append_one_by_one(&log, 100, 10).await;
        // The process cannot even close the file well.
        machine.disk.power_off();
        drop((log, blobs));
        machine.disk.power_on();

        let (log, blobs) = machine.open(options()).unwrap();
        assert_eq!(log.head(), Position(20));
        machine.disk.power_off();
        drop((log, blobs));
        let machine = Machine::new(machine.after_power_loss(&mut chance), None);
        let (log, blobs) = machine.open(options()).unwrap();
        check(&log, &blobs, &acknowledged).await;
    }
}

/// A file of an older build is lifted and its index filled when the power goes: what is there of it is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifting_a_file_survives_the_loss_of_power() {
    let older = folder_of_first_version(3_000).await;
    for seed in seeds(3) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let folder = TempDir::new().unwrap();
        std::fs::copy(older.path().join("log.db"), folder.path().join("log.db")).unwrap();
        let machine = Machine::new(folder, Some(chance.below(OPERATIONS_MAX)));
        let mut acknowledged = Vec::new();
        if let Ok((log, blobs)) = machine.open(options()) {
            acknowledged = append_until_it_fails(&log, 1 << 96, &mut chance).await;
            drop((log, blobs));
        }
        assert!(machine.disk.is_off());
        let machine = Machine::new(machine.after_power_loss(&mut chance), None);
        let (log, blobs) = machine.open(options()).unwrap();
        check(&log, &blobs, &acknowledged).await;
        check_selective_reads(&log).await;
    }
}

/// After a sync that failed the next one succeeds without what it was for. Whoever was told that the disk has it was told
/// the truth all the same, at both levels.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_that_fail_are_not_believed_later() {
    let mut refused = 0;
    for seed in seeds(FIXED_SEEDS) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let machine = Machine::new(TempDir::new().unwrap(), None);
        let choice = if chance.happens(500) { options() } else { relaxed(FLUSH_MS_MAX) };
        let (log, blobs) = machine.open(choice).unwrap();
        machine.disk.fail_syncs(250, chance.fork(1));
        // Everything up to the last one that the disk is said to have.
        let (mut told, mut safe) = (Vec::new(), 0);
        for number in 0..60u128 {
            let mut append = append("a", 100 + number * 10, 1 + number % 3, "1");
            if chance.happens(300) {
                append.stream.category = STRICT_CATEGORIES[0].into();
            }
            append.durability = asked(&mut chance);
            match log.append(append).await {
                Ok(appended) => {
                    told.push((appended.position, 100 + number * 10 + 1 + number % 3));
                    if appended.durability == Durability::Strict {
                        safe = told.len();
                    }
                }
                Err(_) => refused += 1,
            }
        }
        machine.disk.power_off();
        drop((log, blobs));
        let machine = Machine::new(machine.after_power_loss(&mut chance), None);
        let (log, blobs) = machine.open(options()).unwrap();
        check(&log, &blobs, &told[..safe]).await;
    }
    assert!(refused > 0, "no sync failed");
}
