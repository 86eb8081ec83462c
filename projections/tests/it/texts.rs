//! The index of texts: what it rules out, and that the log alone makes it.

use std::sync::Arc;

use serde_json::json;
use serde_json::value::to_raw_value;
use timeloom_projections::{PositionRange, ReadModels, rebuild};
use timeloom_store::{Append, EventLog as _, Expected, MemoryLog, NewEvent, Position, StreamKey};

use crate::places::Place;
use crate::world::{LOOK, PATIENCE, TENANT, caught_up, empty_log, new_event, start, told};

/// Events of a group, which is written down when it is complete.
const GROUP: u64 = 16_384;
/// Events of a block.
const BLOCK: u64 = 128;

/// Events up to `last`: each its number, and each thousandth a needle with its number as well.
async fn fill(log: &MemoryLog, last: u64) {
    let stream = StreamKey::new(TENANT, "order", "many");
    while log.head().0 < last {
        let first = log.head().0 + 1;
        let event = |position: u64| {
            let needle = if position.is_multiple_of(1_000) { format!("needle-{position}") } else { String::new() };
            let payload = to_raw_value(&json!({ "placed": position, "note": needle, "by": "somebody" })).unwrap();
            let event = new_event(u128::from(position), &told("x", &start(1)));
            NewEvent { event_type: "OrderPlaced".into(), payload: Arc::from(payload), ..event }
        };
        let events: Vec<NewEvent> = (first..=last.min(first + 999)).map(event).collect();
        let command_id = events[0].metadata.command_id;
        log.append(Append::new(stream.clone(), Expected::Any, events, command_id)).await.unwrap();
    }
}

async fn reach_texts(models: &ReadModels, position: u64) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while models.texts_indexed().await.unwrap() < Position(position) {
            tokio::time::sleep(LOOK).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("the texts are not counted: {:?}", models.fault()));
}

async fn rows(place: &Place) -> Vec<String> {
    let hex = if matches!(place, Place::Folder(_)) { "hex(grams)" } else { "upper(encode(grams, 'hex'))" };
    let sql = format!("SELECT group_number || ' ' || first_gram || ' ' || {hex} FROM text_grams_1 ORDER BY 1");
    place.rows(&sql).await
}

fn events_in(places: &[PositionRange]) -> u64 {
    places.iter().map(|(first, last)| last.0 + 1 - first.0).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_nowhere_but_where_the_index_says() {
    for place in Place::both().await {
        let log = empty_log();
        fill(&log, 2 * GROUP + 100).await;
        let models = caught_up(place.store(), &log).await;
        reach_texts(&models, 2 * GROUP).await;
        assert_eq!(models.texts_indexed().await.unwrap(), Position(2 * GROUP), "what is behind the last group is not");
        let all = (Position(1), Position(2 * GROUP));
        for position in (1_000..=2 * GROUP).step_by(1_000) {
            let places = models.text_places(&format!("needle-{position}"), all).await.unwrap();
            let has = places.iter().any(|(first, last)| (first.0..=last.0).contains(&position));
            assert!(has && events_in(&places) <= 4 * BLOCK, "{position}: {places:?}");
        }
        let common = models.text_places("somebody", all).await.unwrap();
        assert_eq!(common, [all]);
        assert_eq!(models.text_places("nobody at all", all).await.unwrap(), []);
        assert_eq!(models.text_places("abc", all).await.unwrap(), [all], "too short to be found by it");
        // What is asked about is cut out of the blocks.
        let some = (Position(1_990), Position(2_001));
        assert_eq!(models.text_places("needle-2000", some).await.unwrap(), [some]);
        assert_eq!(models.text_places("needle-2000", (Position(5), Position(4))).await.unwrap(), []);
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_alone_makes_the_rows_whenever_they_are_made() {
    let mut made = Vec::new();
    for place in Place::both().await {
        let log = empty_log();
        fill(&log, GROUP / 2).await;
        let models = caught_up(place.store(), &log).await;
        fill(&log, GROUP + 10).await;
        reach_texts(&models, GROUP).await;
        models.close().await.unwrap();

        // Taken up in the middle of a group, counted from its beginning.
        let models = caught_up(place.store(), &log).await;
        fill(&log, 2 * GROUP).await;
        reach_texts(&models, 2 * GROUP).await;
        let live = rows(&place).await;
        models.rebuild(&[]).await.unwrap();
        reach_texts(&models, 2 * GROUP).await;
        assert!(rows(&place).await == live, "built again beside those who ask");
        models.close().await.unwrap();

        rebuild(place.store(), Arc::clone(&log) as _, &[]).await.unwrap();
        assert!(rows(&place).await == live, "built again by a process of its own");
        made.push(live);

        // Of another log nothing is left.
        let other = empty_log();
        fill(&other, 10).await;
        let models = caught_up(place.store(), &other).await;
        assert_eq!(models.texts_indexed().await.unwrap(), Position::START);
        assert_eq!(rows(&place).await, Vec::<String>::new());
        models.close().await.unwrap();
    }
    assert!(made[0].len() > 100 && made[0] == made[1], "the same rows in both databases");
}
