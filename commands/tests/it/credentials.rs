//! Credentials: what is saved opens again for whom it is meant, and for nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;
use serde_json::json;
use timeloom_commands::credentials::keys::{GivenKeys, Key, KeyError, KeySource, Keyring, PassingKeys};
use timeloom_commands::credentials::{CredentialError, NONCE_BYTES};
use timeloom_commands::{
    CommandContext, CommandError, Credentials, Keeping, NoChance, Rotated, SECRET_BYTES, SaveCredential, Secrets,
};
use timeloom_domain::account::{AccountEvent, SealedPassword};
use timeloom_domain::credential::{CredentialEvent, Sealed};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{CredentialId, EventId, FIRST_TENANT, TenantId};
use timeloom_domain::item::JsonObject;
use timeloom_store::{
    Append, Direction, EventLog as _, Expected, Filter, Metadata, NewEvent, Position, Revision, StreamKey, TenantScope,
    codec,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::bench::{TENANT, World, code};

const TYPE: &str = "httpBasicAuth";
const SECRET: &str = "open sesame";

struct TestSecrets(AtomicU8);

impl Secrets for TestSecrets {
    fn nonce(&self) -> [u8; NONCE_BYTES] {
        [self.0.fetch_add(1, Ordering::SeqCst); NONCE_BYTES]
    }

    fn secret(&self) -> Result<Zeroizing<[u8; SECRET_BYTES]>, NoChance> {
        Ok(Zeroizing::new([self.0.fetch_add(1, Ordering::SeqCst); SECRET_BYTES]))
    }
}

fn key(byte: u8) -> Result<Key, KeyError> {
    // 32 bytes, of which the last tells one from the other.
    let last = char::from(b'A' + byte * 4);
    Key::decode(&format!("{}{last}=", "AB".repeat(21))).ok_or(KeyError::None)
}

fn keys(bytes: &[u8]) -> Arc<dyn KeySource> {
    let keyring = bytes.iter().fold(Keyring::default(), |keys, byte| keys.with(key(*byte).unwrap()));
    Arc::new(GivenKeys::new(keyring, "keys/credentials.key"))
}

fn credentials(world: &World, keys: Arc<dyn KeySource>) -> Credentials {
    Credentials::new(world.commands.clone(), keys, Arc::new(TestSecrets(AtomicU8::new(0))))
}

fn fields(password: &str) -> JsonObject {
    json!({"user": "ann", "password": password}).as_object().unwrap().clone()
}

fn basic(name: &str, password: &str) -> SaveCredential {
    SaveCredential { name: name.to_owned(), credential_type: TYPE.to_owned(), fields: fields(password) }
}

async fn by_name(credentials: &Credentials, name: &str) -> Result<Option<JsonObject>, CredentialError> {
    credentials.credential(TENANT, TYPE, None, Some(name)).await
}

async fn sealed(world: &World, id: CredentialId) -> Sealed {
    let stream = StreamKey::new(TENANT, "credential", id.to_string());
    let newest = world.log.read_stream(&stream, Revision(u64::MAX), Direction::Backward, 1).await.unwrap();
    match codec::decode::<CredentialEvent>(&newest[0]).unwrap() {
        CredentialEvent::CredentialSaved { sealed, .. } | CredentialEvent::CredentialResealed { sealed } => sealed,
        CredentialEvent::CredentialDeleted {} => panic!("it is deleted"),
    }
}

/// A command of the tenant that runs the installation.
fn of_the_first(world: &World) -> CommandContext {
    CommandContext { tenant: FIRST_TENANT, ..world.context() }
}

/// Somebody with a way to the log writes an event as it pleases them.
async fn forge<E: Event + Serialize>(world: &World, tenant: TenantId, id: CredentialId, event: &E) {
    let encoded = codec::encode(event).unwrap();
    let command_id = world.context().command_id;
    let metadata = Arc::new(Metadata { command_id, ..world.context().metadata() });
    let event = NewEvent {
        id: EventId(world.context().command_id.0),
        event_type: encoded.event_type.into(),
        event_version: encoded.event_version,
        payload: encoded.payload,
        metadata,
    };
    let stream = StreamKey::new(tenant, E::CATEGORY, id.to_string());
    world.log.append(Append::new(stream, Expected::Any, vec![event], command_id)).await.unwrap();
}

#[tokio::test]
async fn what_was_saved_is_found_by_its_id_and_by_its_name() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let saved = credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    let id = saved.value.to_string();
    for (id, name) in [
        (Some(id.as_str()), None),
        (Some(id.as_str()), Some("Its old name")),
        (None, Some("Mailer")),
        (Some("7"), Some("Mailer")),
        (Some("00000000-0000-7000-8000-000000000000"), Some("Mailer")),
    ] {
        let found = credentials.credential(TENANT, TYPE, id, name).await.unwrap();
        assert_eq!(found, Some(fields(SECRET)), "{id:?} {name:?}");
    }
    for (tenant, credential_type, id, name) in [
        (TENANT, "httpHeaderAuth", Some(id.as_str()), Some("Mailer")),
        (TenantId(9), TYPE, Some(id.as_str()), Some("Mailer")),
        (TENANT, TYPE, None, Some("mailer")),
        (TENANT, TYPE, None, None),
    ] {
        assert_eq!(credentials.credential(tenant, credential_type, id, name).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_name_is_taken_once_in_each_type_and_saving_it_again_replaces_it() {
    let world = World::new();
    let one = credentials(&world, keys(&[1]));
    let first = one.save(&world.context(), basic("Mailer", "old")).await.unwrap();
    // Another process, which has seen nothing of it.
    let other = credentials(&world.restarted(Keeping::default()), keys(&[1]));
    let second = other.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    assert_eq!(first.value, second.value);
    assert_eq!(by_name(&one, "Mailer").await.unwrap(), Some(fields(SECRET)));
    let header = SaveCredential {
        name: "Mailer".to_owned(),
        credential_type: "someServiceApi".to_owned(),
        fields: json!({"apiKey": {"any": [1]}}).as_object().unwrap().clone(),
    };
    assert_ne!(one.save(&world.context(), header).await.unwrap().value, first.value);
    assert_eq!(world.story("credential", first.value).await, ["CredentialSaved", "CredentialSaved"]);
}

#[tokio::test]
async fn the_same_command_sent_again_saves_once() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let context = world.context();
    let first = credentials.save(&context, basic("Mailer", SECRET)).await.unwrap();
    let again = credentials.save(&context, basic("Mailer", SECRET)).await.unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!((again.value, again.position), (first.value, first.position));
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields(SECRET)));
}

#[tokio::test]
async fn saves_at_the_same_time_each_make_a_version_that_opens() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let save = |password: &'static str| {
        let (credentials, context) = (credentials.clone(), world.context());
        async move { credentials.save(&context, basic("Mailer", password)).await.unwrap() }
    };
    let (one, two, three) = tokio::join!(save("1"), save("2"), save("3"));
    let newest = [&one, &two, &three].into_iter().map(|saved| saved.position).max().unwrap();
    let password = [(&one, "1"), (&two, "2"), (&three, "3")].into_iter().find(|(saved, _)| saved.position == newest);
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields(password.unwrap().1)));
    assert_eq!(sealed(&world, one.value).await.data_key.unwrap().version, 3);
}

#[tokio::test]
async fn a_command_that_is_sent_again_later_is_the_same_save() {
    let world = World::new();
    let one = credentials(&world, keys(&[1]));
    let context = world.context();
    let first = one.save(&context, basic("Mailer", "old")).await.unwrap();
    one.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    for again in [&one, &credentials(&world.restarted(Keeping::default()), keys(&[1]))] {
        let again = again.save(&context, basic("Mailer", "old")).await.unwrap();
        assert!(again.repeated && again.position == first.position, "{again:?}");
    }
    assert_eq!(by_name(&one, "Mailer").await.unwrap(), Some(fields(SECRET)));
    assert_eq!(world.story("credential", first.value).await, ["CredentialSaved", "CredentialSaved"]);
}

#[tokio::test]
async fn what_an_earlier_save_sealed_does_not_open_as_a_later_one() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let id = credentials.save(&world.context(), basic("Mailer", "old")).await.unwrap().value;
    let old = sealed(&world, id).await;
    credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    let replayed = CredentialEvent::CredentialSaved {
        name: "Mailer".to_owned(),
        credential_type: TYPE.to_owned(),
        fields: vec!["user".to_owned(), "password".to_owned()],
        sealed: old,
    };
    forge(&world, TENANT, id, &replayed).await;
    let error = by_name(&credentials, "Mailer").await.unwrap_err();
    assert!(matches!(error, CredentialError::Broken { .. }), "{error}");
    credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields(SECRET)));
}

#[tokio::test]
async fn what_was_sealed_before_data_keys_opens_and_a_rotation_gives_it_one() {
    let world = World::new();
    // Written down by a build of before, with key 1, for tenant 1 and this name.
    let stored = r#"{"type":"credential_saved","name":"Mailer","credential_type":"httpBasicAuth","fields":["user","password"],
        "sealed":{"key":"24fa7571644909c2","nonce":"CQkJCQkJCQkJCQkJ","ciphertext":"CN85i6ccvhuZ9AQwIV5AzTYX/OSciW87J3CIOyBoA/ufjhzCQUIctXFUvz2/VtnhK+QuaMfr3g=="}}"#;
    let id = CredentialId::of(TENANT, TYPE, "Mailer");
    let command_id = world.context().command_id;
    let event = NewEvent {
        id: EventId(command_id.0),
        event_type: "CredentialSaved".into(),
        event_version: 1,
        payload: Arc::from(serde_json::value::RawValue::from_string(stored.to_owned()).unwrap()),
        metadata: Arc::new(Metadata { command_id, ..world.context().metadata() }),
    };
    let stream = StreamKey::new(TENANT, "credential", id.to_string());
    world.log.append(Append::new(stream, Expected::Any, vec![event], command_id)).await.unwrap();
    let credentials = credentials(&world, keys(&[1]));
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields(SECRET)));
    assert_eq!(credentials.check_keys().await.unwrap().message(), None);
    // The key stays the same, and so do the fields.
    let rotated = credentials.rotate(&world.context(), false).await.unwrap();
    assert_eq!((rotated.resealed, rotated.kept, rotated.failed), (1, 0, 0));
    assert_eq!(sealed(&world, id).await.data_key.unwrap().version, 1);
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields(SECRET)));
}

#[tokio::test]
async fn a_deleted_credential_is_found_no_more() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let id = credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap().value;
    credentials.delete(&world.context(), id).await.unwrap();
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), None);
    assert!(credentials.delete(&world.context(), id).await.unwrap().repeated);
    let unknown = credentials.delete(&world.context(), CredentialId(Uuid::from_u128(1))).await;
    assert_eq!(code(unknown), "CREDENTIAL_NOT_FOUND");
    credentials.save(&world.context(), basic("Mailer", "new")).await.unwrap();
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields("new")));
}

#[tokio::test]
async fn what_cannot_be_a_credential_is_refused_and_nothing_of_it_is_told() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let save = |name: &str, credential_type: &str, fields| SaveCredential {
        name: name.to_owned(),
        credential_type: credential_type.to_owned(),
        fields,
    };
    let without = json!({"user": SECRET}).as_object().unwrap().clone();
    let long = json!({"x": SECRET.repeat(6_000)}).as_object().unwrap().clone();
    for (wrong, word) in [
        (save("", TYPE, fields(SECRET)), "INVALID_NAME"),
        (save(&"x".repeat(201), TYPE, fields(SECRET)), "INVALID_NAME"),
        (save("a", "no type", fields(SECRET)), "INVALID_TYPE"),
        (save("a", TYPE, without), "INVALID_FIELDS"),
        (save("a", "someServiceApi", long), "INVALID_FIELDS"),
        (save("a", "someServiceApi", JsonObject::new()), "INVALID_FIELDS"),
    ] {
        assert!(!format!("{wrong:?}").contains(SECRET));
        let refused = credentials.save(&world.context(), wrong).await;
        assert!(!format!("{refused:?}").contains(SECRET), "{refused:?}");
        assert_eq!(code(refused), word);
    }
    assert_eq!(world.log.head(), Position(0));
}

#[tokio::test]
async fn without_a_key_nothing_is_saved_and_the_refusal_says_how_to_give_one() {
    let world = World::new();
    let refused = credentials(&world, keys(&[])).save(&world.context(), basic("Mailer", SECRET)).await.unwrap_err();
    let CommandError::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, "NO_CREDENTIAL_KEY");
    assert!(refusal.message.contains("--credential-key-file"), "{refusal}");
    assert_eq!(world.log.head(), Position(0));
}

#[tokio::test]
async fn a_lost_key_is_named_with_the_place_where_it_is_missed() {
    let world = World::new();
    let before = credentials(&world, keys(&[1]));
    before.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    let fingerprint = key(1).unwrap().fingerprint().to_owned();
    for lost in [keys(&[]), keys(&[2])] {
        let error = by_name(&credentials(&world, lost), "Mailer").await.unwrap_err();
        assert!(matches!(error, CredentialError::KeyMissing { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains(&fingerprint) && told.contains("keys/credentials.key"), "{told}");
        assert!(told.contains("'Mailer'"), "{told}");
    }
    assert_eq!(by_name(&credentials(&world, keys(&[1, 2])), "Mailer").await.unwrap(), Some(fields(SECRET)));
}

#[tokio::test]
async fn what_is_sealed_for_one_credential_opens_for_no_other() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    let mailer = credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap().value;
    let mine = credentials.save(&world.context(), basic("Mine", "mine")).await.unwrap().value;
    let stolen = sealed(&world, mailer).await;
    let saved = |name: &str, sealed: &Sealed| CredentialEvent::CredentialSaved {
        name: name.to_owned(),
        credential_type: TYPE.to_owned(),
        fields: vec!["user".to_owned()],
        sealed: sealed.clone(),
    };
    // Into another credential, into the same one of another tenant, and into the same one with a byte changed.
    forge(&world, TENANT, mine, &saved("Mine", &stolen)).await;
    let error = by_name(&credentials, "Mine").await.unwrap_err();
    assert!(matches!(error, CredentialError::Broken { .. }), "{error}");
    let other = TenantId(9);
    forge(&world, other, CredentialId::of(other, TYPE, "Mailer"), &saved("Mailer", &stolen)).await;
    let error = credentials.credential(other, TYPE, None, Some("Mailer")).await.unwrap_err();
    assert!(matches!(error, CredentialError::Broken { .. }), "{error}");
    let mut changed = stolen.clone();
    let first = if changed.ciphertext.starts_with('A') { "B" } else { "A" };
    changed.ciphertext.replace_range(..1, first);
    forge(&world, TENANT, mailer, &CredentialEvent::CredentialResealed { sealed: changed }).await;
    let error = by_name(&credentials, "Mailer").await.unwrap_err();
    assert!(matches!(error, CredentialError::Broken { .. }), "{error}");
    assert!(!error.to_string().contains(SECRET) && error.to_string().contains("save it again"), "{error}");
}

#[tokio::test]
async fn a_rotation_seals_everything_under_the_newest_key_and_old_seals_open_until_then() {
    let world = World::new();
    let old = credentials(&world, keys(&[1]));
    let ids = [
        old.save(&world.context(), basic("One", "1")).await.unwrap().value,
        old.save(&world.context(), basic("Two", "2")).await.unwrap().value,
        old.save(&world.context(), basic("Gone", "3")).await.unwrap().value,
    ];
    old.delete(&world.context(), ids[2]).await.unwrap();
    let both = credentials(&world, keys(&[1, 2]));
    assert_eq!(by_name(&both, "One").await.unwrap(), Some(fields("1")));
    both.save(&world.context(), basic("New", "4")).await.unwrap();
    let newest = key(2).unwrap().fingerprint().to_owned();
    let rotated = both.rotate(&world.context(), false).await.unwrap();
    assert_eq!(rotated, Rotated { key: newest.clone(), resealed: 2, kept: 1, ..Rotated::default() });
    let again = both.rotate(&world.context(), false).await.unwrap();
    assert_eq!(again, Rotated { key: newest, resealed: 0, kept: 3, ..Rotated::default() });
    // The old key is needed no more.
    let alone = credentials(&world, keys(&[2]));
    for (name, password) in [("One", "1"), ("Two", "2"), ("New", "4")] {
        assert_eq!(by_name(&alone, name).await.unwrap(), Some(fields(password)));
    }
    assert_eq!(world.story("credential", ids[0]).await, ["CredentialSaved", "CredentialResealed"]);
}

#[tokio::test]
async fn a_rotation_leaves_the_fields_closed() {
    let world = World::new();
    let id = credentials(&world, keys(&[1])).save(&world.context(), basic("Mailer", SECRET)).await.unwrap().value;
    let before = sealed(&world, id).await;
    credentials(&world, keys(&[1, 2])).rotate(&world.context(), false).await.unwrap();
    let after = sealed(&world, id).await;
    assert_eq!((&after.nonce, &after.ciphertext), (&before.nonce, &before.ciphertext));
    assert_ne!((&after.key, &after.data_key), (&before.key, &before.data_key));
}

#[tokio::test]
async fn the_keys_of_something_else_are_told_before_anybody_misses_one() {
    let world = World::new();
    let none = credentials(&world, keys(&[])).check_keys().await.unwrap();
    assert_eq!((none.message(), none.is_of_something_else()), (None, false), "nothing is sealed yet");
    let one = credentials(&world, keys(&[1]));
    one.save(&world.context(), basic("One", "1")).await.unwrap();
    let two = one.save(&world.context(), basic("Two", "2")).await.unwrap().value;
    let gone = credentials(&world, keys(&[3])).save(&world.context(), basic("Gone", "3")).await.unwrap().value;
    one.delete(&world.context(), gone).await.unwrap();
    let [first, second] = [1, 2].map(|byte| key(byte).unwrap().fingerprint().to_owned());
    assert_eq!(one.check_keys().await.unwrap().message(), None, "nobody needs the key of what was deleted");

    let wrong = credentials(&world, keys(&[2])).check_keys().await.unwrap();
    let message = wrong.message().unwrap();
    assert!(wrong.is_of_something_else() && message.contains(&format!("{first} (2 credentials)")), "{message}");
    assert!(message.contains(&second) && message.contains("keys/credentials.key"), "{message}");
    let both = credentials(&world, keys(&[1, 2])).rotate(&world.context(), false).await.unwrap();
    assert_eq!(both.resealed, 2);
    assert_eq!(credentials(&world, keys(&[2])).check_keys().await.unwrap().message(), None);
    credentials(&world, keys(&[1])).save(&world.context(), basic("Three", "3")).await.unwrap();
    let partly = credentials(&world, keys(&[2])).check_keys().await.unwrap();
    assert!(!partly.is_of_something_else() && partly.missing().eq([first.as_str()]), "{partly:?}");

    // One that is broken is told, and keeps no other from being looked at.
    let mut broken = sealed(&world, two).await;
    broken.nonce = "AAAAAAAAAAAAAAAA".to_owned();
    forge(&world, TENANT, two, &CredentialEvent::CredentialResealed { sealed: broken }).await;
    let check = credentials(&world, keys(&[1, 2])).check_keys().await.unwrap();
    assert!(check.broken.len() == 1 && check.broken[0].contains("'Two'"), "{check:?}");
    assert_eq!(check.needed.len(), 2);
}

#[tokio::test]
async fn keys_that_passwords_need_are_missed_as_well() {
    let world = World::new();
    let id = CredentialId(Uuid::from_u128(7));
    let [first, second] = [1, 2].map(|byte| key(byte).unwrap().fingerprint().to_owned());
    let sealed =
        |key: &str| SealedPassword { key: key.to_owned(), nonce: "AAAA".to_owned(), ciphertext: "AAAA".to_owned() };
    forge(&world, TENANT, id, &AccountEvent::PasswordSet { sealed: sealed(&first) }).await;
    let wrong = credentials(&world, keys(&[2])).check_keys().await.unwrap();
    let message = wrong.message().unwrap();
    assert!(wrong.is_of_something_else() && message.contains(&format!("{first} (1 passwords)")), "{message}");
    forge(&world, TENANT, id, &AccountEvent::PasswordResealed { sealed: sealed(&second) }).await;
    assert_eq!(credentials(&world, keys(&[2])).check_keys().await.unwrap().message(), None);
    forge(&world, TENANT, id, &AccountEvent::PasswordRemoved {}).await;
    assert_eq!(credentials(&world, keys(&[])).check_keys().await.unwrap().message(), None);
}

#[tokio::test]
async fn a_rotation_tells_what_it_could_not_open_and_goes_on_with_the_rest() {
    let world = World::new();
    credentials(&world, keys(&[1])).save(&world.context(), basic("Lost", "1")).await.unwrap();
    credentials(&world, keys(&[2])).save(&world.context(), basic("Found", "2")).await.unwrap();
    let rotated = credentials(&world, keys(&[2, 3])).rotate(&world.context(), false).await.unwrap();
    assert_eq!((rotated.resealed, rotated.kept, rotated.failed), (1, 0, 1));
    assert!(rotated.failures[0].contains("'Lost'"), "{rotated:?}");
    let given = credentials(&world, keys(&[2, 3])).rotate(&of_the_first(&world), true).await.unwrap_err();
    assert!(given.to_string().contains("add a line with the new key"), "{given}");
}

#[tokio::test]
async fn keys_that_are_made_here_are_made_anew_by_a_rotation() {
    static MADE: AtomicU8 = AtomicU8::new(1);
    let world = World::new();
    let passing = Arc::new(PassingKeys::new(|| key(MADE.fetch_add(1, Ordering::SeqCst))));
    let credentials = credentials(&world, Arc::clone(&passing) as Arc<dyn KeySource>);
    credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    let first = passing.keys().unwrap().newest().unwrap().fingerprint().to_owned();
    // Keys are shared, so who makes one must run the installation.
    let refused = credentials.rotate(&world.context(), true).await.unwrap_err();
    assert!(refused.to_string().contains("system:write"), "{refused}");
    let rotated = credentials.rotate(&of_the_first(&world), true).await.unwrap();
    assert_ne!(rotated.key, first);
    assert_eq!((rotated.resealed, passing.keys().unwrap().count()), (1, 2));
    assert_eq!(by_name(&credentials, "Mailer").await.unwrap(), Some(fields(SECRET)));
}

#[tokio::test]
async fn no_event_and_no_answer_has_a_secret_in_it() {
    let world = World::new();
    let credentials = credentials(&world, keys(&[1]));
    credentials.save(&world.context(), basic("Mailer", SECRET)).await.unwrap();
    let all = world.log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 100).await;
    let told = format!("{:?} {credentials:?} {:?}", all.unwrap(), keys(&[1]).keys());
    assert!(!told.contains(SECRET) && !told.contains("c2VzYW1l"), "{told}");
    assert!(!told.contains("ABABAB"), "a key: {told}");
    assert!(told.contains("CredentialSaved") && told.contains("password"), "{told}");
}
