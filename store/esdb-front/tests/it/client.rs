//! The client that others wrote, with a real `timeloom serve` of this build, and with a front that asks for keys.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use timeloom_domain::access::Permission;
use timeloom_domain::ids::FIRST_TENANT;
use timeloom_esdb_front::OpenTo;
use timeloom_store_esdb::client::{
    AppendToStreamOptions, BatchAppendOptions, Client, CurrentRevision, DeletePersistentSubscriptionOptions,
    DeleteStreamOptions, Error, EventData, ExpectedRevision, GetPersistentSubscriptionInfoOptions, NakAction,
    PersistentSubscription, PersistentSubscriptionEvent, PersistentSubscriptionOptions, ReadAllOptions,
    ReadStreamOptions, ReplayParkedMessagesOptions, ResolvedEvent, StreamPosition, SubscribeToAllOptions,
    SubscribeToPersistentSubscriptionOptions, SubscribeToStreamOptions, Subscription, SubscriptionFilter,
    TombstoneStreamOptions,
};
use uuid::Uuid;

use crate::world::World;

/// Longer than anything takes that is going to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A `timeloom serve` on which nobody signs in, with the category `order` open. It ends with the value.
struct Program {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("timeloom");
    assert!(program.exists(), "{} is not built: run `cargo build --package timeloom-server`", program.display());
    program
}

impl Program {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = ["--data", folder.path().to_str().unwrap()];
        let opened = Command::new(program()).args(["tenant", "open", "0", "order"]).args(data).output().unwrap();
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        let mut child = Command::new(program())
            .args(["serve", "--sign-in", "off", "--listen", "127.0.0.1:0", "--esdb-port", "0"])
            .args(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(format!("esdb://{}", line.split("esdb://").nth(1)?))).unwrap();
        // It goes on to say things, which somebody has to read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    fn client(&self) -> Client {
        client(&self.address)
    }
}

fn client(address: &str) -> Client {
    Client::new(address.parse().unwrap()).unwrap()
}

fn stream() -> String {
    #[expect(clippy::disallowed_methods, reason = "a name that no other test has")]
    let id = Uuid::new_v4();
    format!("order-{id}")
}

fn event(number: u64) -> EventData {
    typed("Happened", number)
}

fn typed(event_type: &str, number: u64) -> EventData {
    EventData::json(event_type, &json!({ "n": number })).unwrap()
}

fn expecting(revision: ExpectedRevision) -> AppendToStreamOptions {
    AppendToStreamOptions::default().expected_revision(revision)
}

/// What a read or a subscription brought, in short.
fn number(event: &ResolvedEvent) -> u64 {
    event.get_original_event().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}

async fn read(client: &Client, stream: &str, options: ReadStreamOptions) -> Result<Vec<u64>, Error> {
    let mut reading = client.read_stream(stream, &options).await?;
    let mut revisions = Vec::new();
    while let Some(event) = reading.next().await? {
        revisions.push(event.get_original_event().revision);
    }
    Ok(revisions)
}

async fn next(subscription: &mut Subscription) -> ResolvedEvent {
    tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_appended_to_as_expected_and_read_both_ways() {
    let program = Program::start();
    let (client, stream) = (program.client(), stream());
    let first = [event(0), event(1)].map(|event| {
        #[expect(clippy::disallowed_methods, reason = "an id that no other event has")]
        let id = Uuid::new_v4();
        event.id(id)
    });
    let none = expecting(ExpectedRevision::NoStream);
    let written = client.append_to_stream(&*stream, &none, first.to_vec()).await.unwrap();
    assert_eq!(written.next_expected_version, 1);
    let again = client.append_to_stream(&*stream, &none, first.to_vec()).await.unwrap();
    assert_eq!((again.next_expected_version, again.position), (1, written.position), "the same ids again");
    for (revision, expected) in [
        (ExpectedRevision::Exact(1), Some(2)),
        (ExpectedRevision::Any, Some(3)),
        (ExpectedRevision::StreamExists, Some(4)),
        (ExpectedRevision::NoStream, None),
        (ExpectedRevision::Exact(3), None),
    ] {
        match (client.append_to_stream(&*stream, &expecting(revision), event(2)).await, expected) {
            (Ok(written), Some(expected)) => assert_eq!(written.next_expected_version, expected),
            (Err(Error::WrongExpectedVersion { current, .. }), None) => {
                assert_eq!(current, CurrentRevision::Current(4))
            }
            (outcome, _) => unreachable!("{revision:?}: {outcome:?}"),
        }
    }
    let options = ReadStreamOptions::default;
    assert_eq!(read(&client, &stream, options()).await.unwrap(), [0, 1, 2, 3, 4]);
    let part = options().position(StreamPosition::Position(3)).max_count(9);
    assert_eq!(read(&client, &stream, part).await.unwrap(), [3, 4]);
    let back = options().backwards().position(StreamPosition::End).max_count(2);
    assert_eq!(read(&client, &stream, back).await.unwrap(), [4, 3]);
    let missing = read(&client, "order-none", options()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    for refused in [
        client.append_to_stream("workflow-1", &none, event(1)).await.unwrap_err(),
        client.append_to_stream("secret-1", &none, event(1)).await.unwrap_err(),
        client.delete_stream(&*stream, &DeleteStreamOptions::default()).await.unwrap_err(),
        client.tombstone_stream(&*stream, &TombstoneStreamOptions::default()).await.unwrap_err(),
    ] {
        assert!(matches!(&refused, Error::Grpc { code, .. } if *code as i32 == 9), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_run_from_history_into_live() {
    let program = Program::start();
    let (client, stream) = (program.client(), stream());
    let any = expecting(ExpectedRevision::Any);
    client.append_to_stream(&*stream, &any, vec![typed("Rare", 0), event(1), event(2)]).await.unwrap();
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Position(0));
    let mut of_stream = client.subscribe_to_stream(&*stream, &options).await;
    let filter = SubscriptionFilter::on_event_type().add_prefix("Rare");
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
    let mut of_all = client.subscribe_to_all(&options).await;
    assert_eq!((number(&next(&mut of_stream).await), number(&next(&mut of_all).await)), (1, 0));
    assert_eq!(number(&next(&mut of_stream).await), 2);
    client.append_to_stream("order-other", &any, event(9)).await.unwrap();
    client.append_to_stream(&*stream, &any, vec![event(3), typed("Rare", 4)]).await.unwrap();
    assert_eq!((number(&next(&mut of_stream).await), number(&next(&mut of_all).await)), (3, 4));
    assert_eq!(number(&next(&mut of_stream).await), 4);

    let mut all = client.read_all(&ReadAllOptions::default().max_count(100)).await.unwrap();
    let mut positions = Vec::new();
    while let Some(event) = all.next().await.unwrap() {
        positions.push(event.get_original_event().position.commit);
    }
    assert!(positions.len() > 6 && positions.is_sorted_by(|earlier, later| earlier < later), "{positions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_answered_each_by_itself() {
    let program = Program::start();
    let (client, stream) = (program.client(), stream());
    let batch = client.batch_append(&BatchAppendOptions::default()).await.unwrap();
    let first = batch.append_to_stream(&stream, ExpectedRevision::NoStream, vec![event(0), event(1)]).await.unwrap();
    assert_eq!(first.current_revision(), Some(1));
    let wrong = batch.append_to_stream(&stream, ExpectedRevision::NoStream, vec![event(2)]).await;
    assert!(matches!(&wrong, Err(Error::Grpc { code, .. }) if *code as i32 == 9), "{:?}", wrong.is_ok());
    // The client ends its session with a refusal.
    let batch = client.batch_append(&BatchAppendOptions::default()).await.unwrap();
    let after = batch.append_to_stream(&stream, ExpectedRevision::Exact(1), vec![event(2)]).await.unwrap();
    assert_eq!(after.current_revision(), Some(2));
}

async fn given(group: &mut PersistentSubscription) -> (usize, ResolvedEvent) {
    loop {
        let event = tokio::time::timeout(PATIENCE, group.next_subscription_event()).await.unwrap().unwrap();
        if let PersistentSubscriptionEvent::EventAppeared { retry_count, event } = event {
            return (retry_count, event);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gives_takes_back_puts_aside_and_gives_again() {
    let program = Program::start();
    let (client, stream) = (program.client(), stream());
    let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    client.create_persistent_subscription(&*stream, "workers", &options).await.unwrap();
    let twice = client.create_persistent_subscription(&*stream, "workers", &options).await;
    assert!(matches!(twice, Err(Error::ResourceAlreadyExists)), "{twice:?}");
    let any = expecting(ExpectedRevision::Any);
    client.append_to_stream(&*stream, &any, (0..3).map(event).collect::<Vec<_>>()).await.unwrap();
    let reading = SubscribeToPersistentSubscriptionOptions::default();
    let mut group = client.subscribe_to_persistent_subscription(&*stream, "workers", &reading).await.unwrap();
    let (_, first) = given(&mut group).await;
    let (_, second) = given(&mut group).await;
    let (_, third) = given(&mut group).await;
    assert_eq!([&first, &second, &third].map(number), [0, 1, 2]);
    group.ack(first).await.unwrap();
    group.nack(second, NakAction::Retry, "later").await.unwrap();
    let (retries, second) = given(&mut group).await;
    assert_eq!((retries, number(&second)), (1, 1));
    group.ack(second).await.unwrap();
    group.nack(third, NakAction::Park, "it is bad").await.unwrap();
    let info = GetPersistentSubscriptionInfoOptions::default();
    while client.get_persistent_subscription_info(&*stream, "workers", &info).await.unwrap().stats.parked_message_count
        == 0
    {
        tokio::task::yield_now().await;
    }
    let replay = ReplayParkedMessagesOptions::default();
    client.replay_parked_messages(&*stream, "workers", &replay).await.unwrap();
    let (_, third) = given(&mut group).await;
    assert_eq!(number(&third), 2);
    group.ack(third).await.unwrap();
    let delete = DeletePersistentSubscriptionOptions::default();
    client.delete_persistent_subscription(&*stream, "workers", &delete).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, group.next()).await.unwrap();
    assert!(matches!(ended, Err(Error::IllegalStateError(_))), "{:?}", ended.is_ok());
    let gone = client.get_persistent_subscription_info(&*stream, "workers", &info).await;
    assert!(matches!(gone, Err(Error::ResourceNotFound)), "{:?}", gone.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_say_who_may_what_in_which_tenant() {
    let world = World::new(OpenTo::Keys).await;
    let other = world.tenant("other").await;
    world.open(FIRST_TENANT, "order").await;
    let writer = world.key(FIRST_TENANT, &[Permission::AuditRead, Permission::EventAppend]).await;
    let reader = world.key(FIRST_TENANT, &[Permission::AuditRead]).await;
    let stranger = world.key(other, &[Permission::AuditRead, Permission::EventAppend]).await;
    let [writer, reader, stranger, wrong, nobody] = [
        client(&world.address(Some(&writer))),
        client(&world.address(Some(&reader))),
        client(&world.address(Some(&stranger))),
        client(&world.address(Some("timeloom_key_wrong"))),
        client(&world.address(None)),
    ];
    let any = expecting(ExpectedRevision::Any);
    writer.append_to_stream("order-1", &any, event(0)).await.unwrap();
    for client in [&writer, &reader] {
        assert_eq!(read(client, "order-1", ReadStreamOptions::default()).await.unwrap(), [0]);
    }
    for client in [&reader, &wrong, &nobody] {
        let refused = client.append_to_stream("order-1", &any, event(1)).await;
        assert!(matches!(refused, Err(Error::AccessDenied)), "{refused:?}");
    }
    for client in [&wrong, &nobody] {
        let refused = read(client, "order-1", ReadStreamOptions::default()).await;
        assert!(matches!(refused, Err(Error::AccessDenied)), "{refused:?}");
    }
    let unseen = read(&stranger, "order-1", ReadStreamOptions::default()).await;
    assert!(matches!(unseen, Err(Error::ResourceNotFound)), "{unseen:?}");
    assert!(stranger.append_to_stream("order-1", &any, event(1)).await.is_err(), "nothing is open there");
    world.open(other, "order").await;
    stranger.append_to_stream("order-1", &expecting(ExpectedRevision::NoStream), event(7)).await.unwrap();
    assert_eq!(read(&writer, "order-1", ReadStreamOptions::default()).await.unwrap(), [0], "it is another's");
}
