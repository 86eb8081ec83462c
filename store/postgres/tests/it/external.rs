//! What a role of the database may do by itself, and what not, whatever it tries.

use timeloom_domain::ids::{Actor, TenantId};
use timeloom_postgres_testing::{Database, connect};
use timeloom_store::EventLog;
use timeloom_store_postgres::{ExternalCategory, ExternalError};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::processes::assert_sound;
use crate::{append, open, read_everything};

/// Makes a role of this database's own; gives its name.
pub async fn make_role(database: &Database, name: &str) -> String {
    let role = format!("{name}_{}", database.url().rsplit('/').next().unwrap());
    let client = database.client().await;
    client.batch_execute(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN")).await.unwrap();
    role
}

/// The database's address for a role.
pub fn url_for(database: &Database, role: &str) -> String {
    database.url().replace("://postgres@", &format!("://{role}@"))
}

pub fn external(category: &str, role: &str, tenant: u32) -> ExternalCategory {
    ExternalCategory { category: category.to_owned(), role: role.to_owned(), tenant: TenantId(tenant) }
}

async fn insert(client: &Client, category: &str, sequence: i64, payload: &str) -> Result<(), SqlState> {
    let sql = format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
         VALUES ('{category}', 'i-1', {sequence}, 'InvoicePaid', '1.0', '{payload}', '{{\"request\": \"7\"}}')"
    );
    client.batch_execute(&sql).await.map_err(|error| error.code().unwrap().clone())
}

#[tokio::test]
async fn a_role_appends_to_its_categories_and_the_database_says_the_rest() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "billing").await;
    log.open_to_external(&external("invoice", &role, 42)).await.unwrap();
    log.open_to_external(&external("invoice", &role, 42)).await.unwrap();
    assert_eq!(log.external_categories().await.unwrap(), [external("invoice", &role, 42)]);
    let client = connect(&url_for(&database, &role)).await;
    log.append(append("a", 1, 2, "{}")).await.unwrap();
    insert(&client, "invoice", 1, "{\"n\":  1}").await.unwrap();
    client.batch_execute("BEGIN").await.unwrap();
    insert(&client, "invoice", 2, "{}").await.unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
    insert(&client, "invoice", 2, "{\"n\":2}").await.unwrap();
    log.append(append("a", 11, 1, "{}")).await.unwrap();

    let all = read_everything(&*log).await;
    assert_eq!(all.iter().map(|event| event.position.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let event = &all[2];
    assert_eq!(event.payload.get(), "{\"n\":  1}", "byte for byte");
    assert_eq!((event.stream.tenant, event.event_version, event.revision.0), (TenantId(42), 1, 1));
    assert_eq!(event.metadata.actor, Actor::External(role));
    assert!(all.is_sorted_by(|earlier, later| earlier.recorded_at < later.recorded_at));
    log.wait_for(timeloom_store::Position(5)).await.unwrap();
    assert_sound(&log, &database).await;
}

#[tokio::test]
async fn a_role_is_refused_everything_else() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "billing").await;
    let other = make_role(&database, "shipping").await;
    log.open_to_external(&external("invoice", &role, 42)).await.unwrap();
    log.open_to_external(&external("parcel", &other, 43)).await.unwrap();
    log.append(append("a", 1, 2, "{\"secret\":1}")).await.unwrap();
    let client = connect(&url_for(&database, &role)).await;
    let others = connect(&url_for(&database, &other)).await;
    insert(&others, "parcel", 1, "{}").await.unwrap();

    for category in ["workflow", "execution", "order", "parcel", "audit"] {
        assert_eq!(insert(&client, category, 1, "{}").await, Err(SqlState::INSUFFICIENT_PRIVILEGE), "{category}");
    }
    insert(&client, "invoice", 1, "{}").await.unwrap();
    assert_eq!(insert(&client, "invoice", 1, "{}").await, Err(SqlState::UNIQUE_VIOLATION), "a conflict");
    assert_eq!(insert(&client, "invoice", 3, "{}").await, Err(SqlState::CHECK_VIOLATION), "a gap in the stream");
    for payload in ["{\"$blob\":1}", " {\"$blob\":1}", "\n{}", "{} "] {
        assert_eq!(insert(&client, "invoice", 2, payload).await, Err(SqlState::CHECK_VIOLATION), "{payload}");
    }
    let large = format!("\"{}\"", "x".repeat(5 << 20));
    assert_eq!(insert(&client, "invoice", 2, &large).await, Err(SqlState::PROGRAM_LIMIT_EXCEEDED));
    // The function that lets rows in lets them into no other table: the head would move without them.
    client.batch_execute("CREATE TEMP TABLE mine (LIKE events)").await.unwrap();
    for forbidden in [
        "CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION events_take_external()",
        "SELECT log_record_text('a')",
        "INSERT INTO events (position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, event_version, \
         payload, metadata, recorded_at, leaf) VALUES (9, 1, 'invoice', 'i', 1, gen_random_uuid(), 'T', '1', '{}', '{}', now(), '')",
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE log_head SET position = 0",
        "SELECT * FROM log_head FOR UPDATE",
        "INSERT INTO external_categories VALUES ('workflow', session_user, 1)",
        "SELECT * FROM blobs",
        "ALTER TABLE events DISABLE TRIGGER ALL",
    ] {
        let refused = client.batch_execute(forbidden).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{forbidden}: {refused:?}");
    }
    let forged = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                  VALUES ('invoice', 'i-2', 1, 'T', '1', '{}', '{\"timeloom_role\": \"admin\", \"actor\": \"local:owner\", \
                  \"command_id\": \"00000000-0000-7000-8000-000000000001\"}')";
    client.batch_execute(forged).await.unwrap();
    let nested = forged.replace("\"local:owner\"", "{\"kind\": \"local\"}");
    let refused = client.batch_execute(&nested).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::CHECK_VIOLATION), "metadata is a flat object of texts");
    let seen = client.query("SELECT DISTINCT tenant_id FROM events", &[]).await.unwrap();
    assert_eq!(seen.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [42], "only its own tenant's");

    let all = read_everything(&*log).await;
    assert_eq!(all.len(), 5);
    assert_eq!(all[4].metadata.actor, Actor::External(role), "who wrote is not the writer's to say");
    assert_sound(&log, &database).await;
}

#[tokio::test]
async fn own_categories_are_never_opened() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "billing").await;
    for own in ["workflow", "execution", "plugin", "model", "audit", "policy", "credential", "recall", "replay-check"] {
        let refused = log.open_to_external(&external(own, &role, 1)).await.unwrap_err();
        assert!(matches!(refused, ExternalError::Own(_)), "{refused}");
    }
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    let refuse = async |category: &str, role: &str| {
        log.open_to_external(&external(category, role, 1)).await.unwrap_err().to_string()
    };
    assert!(refuse("order", &role).await.contains("has events that Timeloom appended"));
    assert!(refuse("a/b", &role).await.contains("is not the name of a category"));
    assert!(refuse("invoice", "nobody; DROP TABLE events").await.contains("make it first"));
    assert!(refuse("invoice", "postgres").await.contains("has the rights of the log's owner"));
    database.client().await.batch_execute("GRANT CREATE ON SCHEMA public TO PUBLIC").await.unwrap();
    assert!(refuse("invoice", &role).await.contains("may create things in the log's schema"));
    assert!(log.external_categories().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_role_that_falls_asleep_in_an_append_does_not_hold_up_the_others_for_long() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "billing").await;
    log.open_to_external(&external("invoice", &role, 42)).await.unwrap();
    let asleep = connect(&url_for(&database, &role)).await;
    asleep.batch_execute("BEGIN").await.unwrap();
    insert(&asleep, "invoice", 1, "{}").await.unwrap();
    // The database ends the sleeper, and its event was never there.
    assert_eq!(log.append(append("a", 1, 1, "{}")).await.unwrap().position.0, 1);
    assert!(asleep.batch_execute("COMMIT").await.is_err());
    assert_eq!(read_everything(&*log).await.len(), 1);
}

#[tokio::test]
async fn a_category_can_be_closed_again() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let role = make_role(&database, "billing").await;
    log.open_to_external(&external("invoice", &role, 42)).await.unwrap();
    let client = connect(&url_for(&database, &role)).await;
    insert(&client, "invoice", 1, "{}").await.unwrap();
    assert!(log.close_to_external("invoice", &role).await.unwrap());
    assert!(!log.close_to_external("invoice", &role).await.unwrap());
    assert_eq!(insert(&client, "invoice", 2, "{}").await, Err(SqlState::INSUFFICIENT_PRIVILEGE));
    log.open_to_external(&external("invoice", &role, 42)).await.unwrap();
    insert(&client, "invoice", 2, "{}").await.unwrap();
    assert_eq!(read_everything(&*log).await.len(), 2, "what was appended stays");
}
