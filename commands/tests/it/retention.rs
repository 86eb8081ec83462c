//! How long data is kept: what goes when, what keeps it, and what a crash leaves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use timeloom_commands::erasure::{LetGo, destroy_erased};
use timeloom_commands::{RetryExecution, RetryFrom, RetryVersion, StartExecution};
use timeloom_domain::execution::Execution;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::retention::{bucket_name, day_of};
use timeloom_store::{BlobStore as _, StreamKey, SubjectKeys as _};

use crate::bench::{TENANT, by_hand};
use crate::erasure::{SUBJECT, World, code, new_keys};

/// The day on which the clock of a new world stands.
const FIRST_DAY: i64 = day_of(1_700_000_000_000);

impl World {
    async fn keeps(&self, category: &str, days: u32) {
        self.erasures.set_retention(&self.by(1), category, Some(days), "policy".to_owned()).await.unwrap();
        self.erasures.approve_retention(&self.by(2), category).await.unwrap();
    }

    /// An execution that is about nobody, which waits for an engine.
    async fn begun_about_nobody(&self, attachment: &str) -> ExecutionId {
        let workflow = self.import(json!({})).await;
        let json = JsonObject::from_iter([
            ("mail".to_owned(), json!("ada@example.org")),
            ("file".to_owned(), json!(attachment)),
        ]);
        let start = StartExecution { items: Some(vec![Item::new(json)]), ..by_hand(workflow) };
        self.commands.start_execution(&self.by(1), start).await.unwrap().value
    }

    /// Whether the items are there with which an execution began.
    async fn has_data(&self, id: ExecutionId) -> bool {
        let stream = StreamKey::new(TENANT, "execution", id.to_string());
        let state = self.commands.load::<Execution>(&stream).await.unwrap();
        state.aggregate.start.as_ref().is_some_and(|start| !start.items.is_empty())
    }

    async fn look(&self) -> LetGo {
        self.erasures.apply_retention().await.unwrap()
    }
}

#[tokio::test]
async fn data_goes_once_its_whole_day_is_older_than_its_retention() {
    let world = World::new();
    let before = world.begun_about_nobody("").await;
    world.keeps("execution", 30).await;
    let blob = world.blobs.put("a letter".into()).await.unwrap();
    let first = world.begun_about_nobody(&blob.attachment_id()).await;
    world.clock.pass_days(1);
    let second = world.begun_about_nobody("").await;
    for execution in [before, first, second] {
        world.cancel(execution).await;
    }
    let stored = world.stored().await;
    world.clock.pass_days(29);
    assert_eq!(world.look().await, LetGo::default(), "the first day is not over for 30 days yet");
    world.clock.pass_days(1);
    assert_eq!(world.look().await, LetGo { days: 1, kept: 0 });
    assert!(!world.has_data(first).await && world.has_data(second).await, "a day goes at a time");
    let (from, version) = (RetryFrom::Start, RetryVersion::Same);
    let retry = RetryExecution { new_id: None, execution_id: first, from, version };
    assert_eq!(code(world.commands.retry_execution(&world.by(1), retry).await), "EXECUTION_ERASED");
    assert!(world.has_data(before).await, "what began before the retention was set stays");
    assert!(world.blobs.get(blob).await.is_err(), "its attachments go as well");
    assert_eq!(world.stored().await[..stored.len()], stored[..], "what is stored stays as it was");
    assert!(world.made.scrubbed.lock().unwrap().iter().any(|stream| *stream.id == *first.to_string()));
    let kept = world.erasures.retention(TENANT, "execution").await.unwrap();
    assert_eq!((kept.last_day, kept.streams, kept.going.len()), (Some(FIRST_DAY), 1, 0));
    assert_eq!(world.look().await, LetGo::default(), "what went does not go again");
}

#[tokio::test]
async fn what_is_under_way_keeps_its_day_and_so_does_a_hold_on_a_subject_or_the_category() {
    let world = World::new();
    world.keeps("execution", 7).await;
    let waits = world.begun_about_nobody("").await;
    let about = world.begun(None).await;
    world.clock.pass_days(100);
    assert_eq!(world.look().await, LetGo { days: 0, kept: 1 }, "both are under way");
    world.cancel(waits).await;
    world.cancel(about).await;
    let hold = || "case 7".to_owned();
    let subject = world.erasures.place_hold(&world.by(1), SUBJECT, hold(), "court".to_owned()).await.unwrap().value;
    assert_eq!(world.look().await, LetGo { days: 0, kept: 1 }, "a subject in it is held");
    world.erasures.request_release(&world.by(1), subject, hold(), "closed".to_owned()).await.unwrap();
    world.erasures.approve_release(&world.by(2), subject, hold()).await.unwrap();
    let (category, why) = ("execution", || "court".to_owned());
    world.erasures.place_retention_hold(&world.by(1), category, hold(), why()).await.unwrap();
    assert_eq!(world.look().await, LetGo::default(), "the category is held");
    assert!(world.has_data(waits).await && world.has_data(about).await);
    world.erasures.request_retention_release(&world.by(1), category, hold(), why()).await.unwrap();
    let alone = world.erasures.approve_retention_release(&world.by(1), category, hold()).await;
    assert_eq!(code(alone), "SECOND_PERSON_NEEDED");
    world.erasures.approve_retention_release(&world.by(2), category, hold()).await.unwrap();
    assert_eq!(world.look().await, LetGo { days: 1, kept: 0 });
    assert!(!world.has_data(waits).await && !world.has_data(about).await, "with and without a subject");
}

#[tokio::test]
async fn what_was_cut_off_is_finished_at_the_next_start_whatever_keys_are_there() {
    let world = World::new();
    world.keeps("execution", 7).await;
    let execution = world.begun_about_nobody("").await;
    world.cancel(execution).await;
    let old_keys = world.keys.backup().await.unwrap();
    world.clock.pass_days(100);
    world.made.fails.store(true, Ordering::SeqCst);
    world.erasures.apply_retention().await.unwrap_err();
    let going = world.erasures.retention(TENANT, "execution").await.unwrap().going;
    assert_eq!(going.len(), 1, "the log says what goes, and not that it is gone");

    // Another process, with the keys as they were before.
    let keys = new_keys();
    keys.restore(&old_keys).await.unwrap();
    let next = World::over(Arc::clone(&world.stored), keys, Arc::clone(&world.blobs));
    destroy_erased(&*next.stored, &*next.keys).await.unwrap();
    next.erasures.finish().await.unwrap();
    assert!(!next.has_data(execution).await);
    assert!(next.erasures.retention(TENANT, "execution").await.unwrap().going.is_empty());
    assert!(next.made.scrubbed.lock().unwrap().iter().any(|stream| *stream.id == *execution.to_string()));
    next.made.scrubbed.lock().unwrap().clear();
    next.erasures.finish().await.unwrap();
    assert!(next.made.scrubbed.lock().unwrap().is_empty(), "what is done is not done again");
    assert!(next.keys.find(TENANT, &bucket_name("execution", FIRST_DAY)).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_erased_subject_and_a_day_that_is_over_do_not_get_in_each_others_way() {
    let world = World::new();
    world.keeps("execution", 7).await;
    let about = world.begun(None).await;
    let other = world.begun_about_nobody("").await;
    world.cancel(about).await;
    world.cancel(other).await;
    let id = world.erasures.request(&world.by(1), SUBJECT, "asked for".to_owned()).await.unwrap().value;
    world.erasures.approve(&world.by(2), id).await.unwrap();
    world.erasures.close().await;
    assert!(!world.has_data(about).await && world.has_data(other).await);
    world.clock.pass_days(100);
    assert_eq!(world.look().await.days, 1);
    assert!(!world.has_data(other).await);
}

#[tokio::test]
async fn who_may_decide_and_what_cannot_be_kept_are_told() {
    let world = World::new();
    let set = world.erasures.set_retention(&world.by(1), "workflow", Some(3), "policy".to_owned()).await;
    assert_eq!(code(set), "CATEGORY_UNKNOWN");
    world.erasures.set_retention(&world.by(1), "execution", Some(3), "policy".to_owned()).await.unwrap();
    assert_eq!(code(world.erasures.approve_retention(&world.by(1), "execution").await), "SECOND_PERSON_NEEDED");
    let listed = world.erasures.retentions(&world.by(1)).await.unwrap();
    let asked = listed.iter().find(|entry| entry.category == "execution").unwrap();
    assert_eq!((asked.retention.days, asked.retention.request.as_ref().map(|asked| asked.days)), (None, Some(3)));
    world.erasures.withdraw_retention(&world.by(1), "execution", "not yet".to_owned()).await.unwrap();
    assert_eq!(code(world.erasures.approve_retention(&world.by(2), "execution").await), "RETENTION_NOT_REQUESTED");
}
