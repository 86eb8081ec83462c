//! Commands on plugins and models: what they do and what they refuse.

use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_commands::{AddModelVersion, AddPluginVersion, CommandError};
use timeloom_domain::ids::{CommandId, EventId, Slug};
use timeloom_store::{Append, EventLog as _, Expected, Metadata, NewEvent, StreamKey};
use uuid::Uuid;

use crate::bench::{TENANT, World, code};

fn slug(text: &str) -> Slug {
    Slug::try_new(text).unwrap()
}

fn plugin(version: &str, digit: &str) -> AddPluginVersion {
    AddPluginVersion { version: version.to_owned(), digest: digit.repeat(64) }
}

fn model(digit: &str) -> AddModelVersion {
    AddModelVersion { format: "onnx".to_owned(), digest: digit.repeat(64), file: None }
}

#[tokio::test]
async fn a_plugin_goes_through_its_life() {
    let (world, name) = (World::new(), slug("acme/mailer"));
    let (commands, one) = (&world.commands, || "1".to_owned());
    let nobody = commands.enable_plugin(&world.context(), name.clone(), one()).await;
    assert_eq!(code(nobody), "PLUGIN_NOT_FOUND");
    commands.register_plugin(&world.context(), name.clone(), "Sends mail.".to_owned()).await.unwrap();
    let twice = commands.register_plugin(&world.context(), name.clone(), String::new()).await;
    assert_eq!(code(twice), "PLUGIN_EXISTS");
    commands.add_plugin_version(&world.context(), name.clone(), plugin("1", "a")).await.unwrap();
    let other = commands.add_plugin_version(&world.context(), name.clone(), plugin("1", "b")).await;
    assert_eq!(code(other), "PLUGIN_VERSION_TAKEN");
    let odd = commands.add_plugin_version(&world.context(), name.clone(), plugin("2", "z")).await;
    assert_eq!(code(odd), "INVALID_DIGEST");
    let unknown = commands.enable_plugin(&world.context(), name.clone(), "9".to_owned()).await;
    assert_eq!(code(unknown), "PLUGIN_VERSION_NOT_FOUND");
    commands.enable_plugin(&world.context(), name.clone(), one()).await.unwrap();
    commands.disable_plugin(&world.context(), name.clone(), "it leaks".to_owned()).await.unwrap();
    assert_eq!(commands.retire_plugin(&world.context(), name.clone()).await.unwrap().value, name);
    assert_eq!(code(commands.enable_plugin(&world.context(), name.clone(), one()).await), "PLUGIN_RETIRED");
    let story = ["PluginRegistered", "PluginVersionAdded", "PluginEnabled", "PluginDisabled", "PluginRetired"];
    assert_eq!(world.story("plugin", name).await, story);
}

#[tokio::test]
async fn a_model_goes_through_its_life() {
    let (world, name) = (World::new(), slug("acme/tagger"));
    let commands = &world.commands;
    assert_eq!(code(commands.promote_model(&world.context(), name.clone(), 1, None).await), "MODEL_NOT_FOUND");
    let unknown = commands.promote_model(&world.context(), name.clone(), 1, None).await.unwrap_err().to_string();
    assert!(unknown.starts_with("there is no model 'acme/tagger'"), "{unknown}");
    commands.register_model(&world.context(), name.clone(), "Tags text.".to_owned()).await.unwrap();
    assert_eq!(code(commands.register_model(&world.context(), name.clone(), String::new()).await), "MODEL_EXISTS");
    commands.add_model_version(&world.context(), name.clone(), model("a")).await.unwrap();
    assert_eq!(code(commands.add_model_version(&world.context(), name.clone(), model("z")).await), "INVALID_DIGEST");
    assert_eq!(code(commands.promote_model(&world.context(), name.clone(), 2, None).await), "MODEL_VERSION_NOT_FOUND");
    commands.promote_model(&world.context(), name.clone(), 1, None).await.unwrap();
    commands.disable_model(&world.context(), name.clone(), "it drifts".to_owned()).await.unwrap();
    commands.enable_model(&world.context(), name.clone()).await.unwrap();
    commands.retire_model(&world.context(), name.clone()).await.unwrap();
    assert_eq!(code(commands.enable_model(&world.context(), name.clone()).await), "MODEL_RETIRED");
    let story =
        ["ModelRegistered", "ModelVersionAdded", "ModelPromoted", "ModelDisabled", "ModelEnabled", "ModelRetired"];
    assert_eq!(world.story("model", name).await, story);
}

#[tokio::test]
async fn what_follows_from_events_of_a_newer_version_is_not_decided() {
    let (world, name) = (World::new(), slug("acme/mailer"));
    world.commands.register_plugin(&world.context(), name.clone(), String::new()).await.unwrap();
    let (position, id) = (world.log.head(), CommandId(Uuid::from_u128(0xabcd)));
    let metadata = Arc::new(Metadata { command_id: id, ..world.context().metadata() });
    let event = |event_type: &str, event_version, number| NewEvent {
        id: EventId(Uuid::from_u128(number)),
        event_type: event_type.into(),
        event_version,
        payload: Arc::from(RawValue::from_string(r#"{"type":"plugin_sold","to":"somebody"}"#.to_owned()).unwrap()),
        metadata: Arc::clone(&metadata),
    };
    let stream = StreamKey::new(TENANT, "plugin", name.as_str());
    let events = vec![event("PluginSold", 1, 0xabc1), event("PluginEnabled", 2, 0xabc2)];
    world.log.append(Append::new(stream, Expected::Any, events, id)).await.unwrap();

    let retire = world.commands.retire_plugin(&world.context(), name.clone()).await;
    let Err(CommandError::Refused(refusal)) = retire else { panic!("{retire:?}") };
    assert_eq!(refusal.code, "UNKNOWN_EVENT");
    let message = format!("the event at position {}: unknown event type 'PluginSold'", position.0 + 1);
    assert!(refusal.message.starts_with(&message) && refusal.message.contains("run the version"), "{refusal}");
    assert_eq!(world.log.head().0, position.0 + 2, "nothing was appended");
}
