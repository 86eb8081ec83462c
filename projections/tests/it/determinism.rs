//! The same log makes the same rows, however it was followed, cut, interrupted or killed, and in either database.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use proptest::prelude::*;
use timeloom_projections::{ProjectionError, ReadModelStore, ReadModels, rebuild};
use timeloom_store::{EventLog, MemoryLog};

use crate::crash::long_story;
use crate::places::{Place, postgres_store};
use crate::world::{
    LOOK, Told, caught_up, chances, empty_log, log_of, of_a_later_version, reach, rebuilt_dump, spoilt, story_of, tell,
};

/// Spoils some events of a story, so that their streams are parked from there on.
fn with_poison(mut story: Vec<Told>, poison: &[prop::sample::Index]) -> Vec<Told> {
    if story.is_empty() {
        return story;
    }
    for (number, index) in poison.iter().enumerate() {
        let told = index.get_mut(&mut story);
        *told = if number % 2 == 0 { spoilt(told.clone()) } else { of_a_later_version(told.clone()) };
    }
    story
}

/// What happens to whoever follows after each piece of the story.
async fn happen(place: &Place, log: &Arc<MemoryLog>, models: Arc<ReadModels>, what: u8) -> Arc<ReadModels> {
    match what % 6 {
        0 => reach(&models, log.head()).await,
        1 => {
            models.close().await.unwrap();
            return opened(place, log);
        }
        2 => {
            // Its thread ends in the middle of whatever it does.
            drop(models);
            return opened(place, log);
        }
        3 => {
            // A connection that was cut a moment ago may hold the lock for another one.
            while let Err(error) = models.rebuild(&["executions", "workflows"]).await {
                assert!(matches!(error, ProjectionError::NotWriter), "{error}");
                tokio::time::sleep(LOOK).await;
            }
        }
        4 => {
            if let Place::Postgres(database) = place {
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                              WHERE datname = current_database() AND pid <> pg_backend_pid()";
                database.client().await.query(others, &[]).await.unwrap();
            }
        }
        _ => {}
    }
    models
}

fn opened(place: &Place, log: &Arc<MemoryLog>) -> Arc<ReadModels> {
    // A thread that was left alone may write a last batch still.
    let models = ReadModels::open(place.store(), Arc::clone(log) as Arc<dyn EventLog>).unwrap();
    models.start().unwrap();
    models
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn rows_are_the_same_in_one_pass_and_in_pieces_with_interruptions_in_either_database(
        chances in chances(220),
        poison in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        pieces in prop::collection::vec((1usize..40, any::<u8>()), 1..10),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let story = with_poison(story_of(&chances), &poison);
            let expected = rebuilt_dump(&story).await;
            for place in Place::both().await {
                let log = empty_log();
                let mut models = caught_up(place.store(), &log).await;
                let mut rest = &story[..];
                for (length, what) in pieces.iter().cycle() {
                    let (piece, later) = rest.split_at((*length).min(rest.len()));
                    tell(&log, piece).await;
                    rest = later;
                    models = happen(&place, &log, models, *what).await;
                    if rest.is_empty() {
                        break;
                    }
                }
                reach(&models, log.head()).await;
                models.close().await.unwrap();
                assert_eq!(place.dump().await, expected, "in pieces");
                rebuild(place.store(), log, &[]).await.unwrap();
                assert_eq!(place.dump().await, expected, "in one pass");
            }
        });
    }
}

/// Names the folder or the address to the child and makes it the child.
const STORE_VARIABLE: &str = "TIMELOOM_PROJECTIONS_TEST_STORE";
/// Executions of the child's story.
const EXECUTIONS: usize = 600;
const KILLS: usize = 3;

/// Not a test of its own: the process that gets killed. Writes a line for each position that it has reached, and for each
/// time that it has built everything again.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_follows_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
    let Ok(store) = std::env::var(STORE_VARIABLE) else { return };
    let store = match store.strip_prefix("postgresql:") {
        Some(_) => postgres_store(&store),
        None => ReadModelStore::Folder(store.into()),
    };
    let log = log_of(&long_story(EXECUTIONS)).await;
    let models = ReadModels::open(store, Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
    models.start().unwrap();
    let mut positions = models.positions();
    let followed = async {
        loop {
            let reached = *positions.borrow_and_update();
            std::io::stderr().write_all(format!("reached {reached}\n").as_bytes()).unwrap();
            positions.changed().await.unwrap();
        }
    };
    let rebuilt = async {
        loop {
            let report = models.rebuild(&[]).await.unwrap();
            std::io::stderr().write_all(format!("rebuilt {}\n", report.position).as_bytes()).unwrap();
        }
    };
    tokio::join!(followed, rebuilt);
}

/// Runs the child until it has told so many positions, then kills it.
fn run_and_kill(store: &str, lines: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["determinism::child_that_follows_until_it_is_killed", "--exact", "--nocapture"])
        .env(STORE_VARIABLE, store)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap()).lines();
    let told: Vec<String> = told.take(lines).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.len(), lines, "the child ended by itself: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_same_after_the_process_was_killed_again_and_again() {
    let story = long_story(EXECUTIONS);
    let log = log_of(&story).await;
    let expected = rebuilt_dump(&story).await;
    for place in Place::both().await {
        let store = place.address();
        for kill in 0..KILLS {
            run_and_kill(&store, 2 + 5 * kill);
        }
        let left = place.rows("SELECT count(*) FROM projections").await;
        assert!(left[0].parse::<usize>().unwrap() >= 5, "{left:?}");
        let models = caught_up(place.store(), &log).await;
        // What was being built when the process was killed is finished first.
        models.rebuild(&[]).await.unwrap();
        models.close().await.unwrap();
        assert_eq!(place.dump().await, expected);
    }
}
