//! Postgres Trigger: starts an execution for each notification on a channel, or for each row that changes in a table.
//!
//! PostgreSQL keeps no notification for who does not listen: what is sent while no process listens is never heard. In the mode
//! that watches a table, a function and a trigger of it are made in the database, under names that follow from the workflow's
//! node unless the author names them.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_egress::{Meter, Metered, TlsOptions, Verification, tls_config};
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{
    TRIGGER, choice, collection, is, mode, needs, number, options, palette, resource, switch, text,
};
use timeloom_nodes::values::has_expression;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Notification};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fields::Fields;
use crate::tunnel::{Reached, Route, Way};
use crate::wire::{CONNECT_TIME_MAX, unreached};

/// Most bytes that the server may send before it has said something whole: a notification has at most 8,000.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Notifications that may wait for their executions.
const QUEUE_MAX: usize = 1_024;
/// How often the server is asked whether it is there still.
const ASK_INTERVAL: Duration = Duration::from_secs(30);
/// Longest time for a statement.
const STATEMENT_TIME_MAX: Duration = Duration::from_secs(30);
/// Most characters of a name in PostgreSQL.
const NAME_BYTES_MAX: usize = 63;

const LISTENS: &[timeloom_domain::catalogue::Condition] = &[is("triggerMode", &["listenTrigger"])];
const CREATES: &[timeloom_domain::catalogue::Condition] = &[is("triggerMode", &["createTrigger"])];
const CREDENTIALS: &[CredentialDefinition] = &[needs("postgres", &[])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "triggerMode",
        &[
            choice("createTrigger", "Listen and create trigger rule"),
            choice("listenTrigger", "Listen to existing channel"),
        ],
        "What is listened to.",
    )
    .called("Listen for")
    .or_text("createTrigger"),
    resource("schema", "schema", &[mode("name", "By name", Some("public"))], "The schema of the table.").when(CREATES),
    resource("tableName", "table", &[mode("name", "By name", Some("orders"))], "The table.")
        .called("Table")
        .when(CREATES),
    text("channelName", "The channel.").called("Channel name").like("orders").when(LISTENS),
    options(
        "firesOn",
        &[choice("INSERT", "Insert"), choice("UPDATE", "Update"), choice("DELETE", "Delete")],
        "Which changes of rows are told.",
    )
    .called("Event to listen for")
    .or_text("INSERT")
    .when(CREATES),
    collection(
        "additionalFields",
        &[
            text("channelName", "Name of the channel.").called("Channel name"),
            text("functionName", "Name of the function that tells.").called("Function name"),
            switch("replaceIfExists", "Whether a function and trigger of these names are replaced.")
                .called("Replace if exists")
                .or_false(),
            text("triggerName", "Name of the trigger in the database.").called("Trigger name"),
        ],
        "Names in the database.",
    )
    .called("Additional fields")
    .when(CREATES),
    collection(
        "options",
        &[
            number("connectionTimeout", "Longest time until there is a connection, in seconds; at most 10.")
                .called("Connection timeout")
                .or_number(10.0),
            number("delayClosingIdleConnection", "The connection is never idle: changes nothing here.")
                .called("Delay closing idle connection"),
        ],
        "What else to decide.",
    ),
];

/// Postgres Trigger.
pub(super) struct PostgresTrigger;

impl NodeType for PostgresTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.postgresTrigger",
            display_name: "Postgres Trigger",
            description: "Starts an execution for each notification of PostgreSQL, or each change of a table's rows.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "database", &["postgres", "notify", "listen", "sql"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let parameters = ["schema", "tableName", "channelName", "firesOn", "additionalFields"];
        let expressions = parameters.into_iter().filter(|name| node.parameters.get(name).is_some_and(has_expression));
        let problem = |name| Problem {
            node: Some(node.name.clone()),
            field: format!("parameters.{name}"),
            message: "it is an expression: write it out, a trigger has no items".to_owned(),
        };
        expressions.map(problem).collect()
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for PostgresTrigger {
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let fields = listening.credential("postgres").await?;
        let fields = fields.ok_or_else(|| NodeError::operation("the node names no credential of type 'postgres'"))?;
        let opened = open(&Fields::given("postgres", fields), listening).await?;
        // What leads to the server has to be there as long as the connection.
        let Opened { client, connection, meter, route: _route } = opened;
        let (sender, mut notifications) = tokio::sync::mpsc::channel(QUEUE_MAX);
        let hearing = hear(connection, &meter, sender);
        let taking = async {
            let channel = prepare(&client, listening).await?;
            execute(&client, &format!("LISTEN {}", quoted(&channel))).await?;
            listening.opened().await?;
            loop {
                tokio::select! {
                    notification = notifications.recv() => match notification {
                        Some(notification) => drop(listening.take(message(&notification)).await?),
                        None => return Err(NodeError::api("the database ended the connection")),
                    },
                    // A connection whose other side is gone without a word is noticed by this alone.
                    () = tokio::time::sleep(ASK_INTERVAL) => {
                        meter.grant(MESSAGE_BYTES_MAX);
                        execute(&client, "").await?;
                    }
                }
            }
        };
        tokio::select! {
            ended = hearing => ended,
            ended = taking => ended,
        }
    }
}

type Read = Metered<Reached>;
type Connection = tokio_postgres::Connection<Read, <MakeRustlsConnect as MakeTlsConnect<Read>>::Stream>;

/// A connection, and what belongs to it.
struct Opened {
    client: Client,
    connection: Connection,
    meter: Meter,
    route: Route,
}

async fn open(fields: &Fields, listening: &Listening) -> Result<Opened, NodeError> {
    let host = fields.needed("host")?;
    let (ssl, any) = (fields.text("ssl"), fields.truth("allowUnauthorizedCerts"));
    let verification = if any { Verification::None } else { Verification::Full };
    let options = TlsOptions { authority: fields.some_text("caCertificate"), verification, ..TlsOptions::default() };
    let mut config = Config::new();
    config
        .user(fields.needed("user")?)
        .password(fields.text("password"))
        .dbname(fields.needed("database")?)
        .application_name("timeloom")
        .ssl_mode(match ssl.as_str() {
            "require" => SslMode::Require,
            "allow" => SslMode::Prefer,
            _ => SslMode::Disable,
        });
    let wanted = listening.number("options.connectionTimeout", CONNECT_TIME_MAX.as_secs_f64());
    let within = Duration::from_secs_f64(wanted.clamp(1.0, CONNECT_TIME_MAX.as_secs_f64()));
    let (port, policy) = (fields.port(5432)?, &listening.services.outbound);
    let route = Way::of(fields)?.open(policy, within).await?;
    let meter = Meter::new(MESSAGE_BYTES_MAX);
    let stream = Metered::new(route.connect(&host, port, policy, within).await?, meter.clone());
    let tls = tls_config(&options).map_err(|error| unreached(&error))?;
    let mut make = MakeRustlsConnect::new(std::sync::Arc::unwrap_or_clone(tls));
    let tls = MakeTlsConnect::<Read>::make_tls_connect(&mut make, &host);
    let tls = tls.map_err(|error| NodeError::operation(format!("'{host}' is no name of a server: {error}")))?;
    match tokio::time::timeout(within, config.connect_raw(stream, tls)).await {
        Ok(opened) => {
            let (client, connection) = opened.map_err(|error| failed(&error))?;
            Ok(Opened { client, connection, meter, route })
        }
        Err(_) => Err(NodeError::api(format!("the database did not answer within {} s", within.as_secs()))),
    }
}

/// Reads what the database says; hands notifications on, and waits while too many wait.
async fn hear(
    mut connection: Connection,
    meter: &Meter,
    sender: tokio::sync::mpsc::Sender<Notification>,
) -> Result<(), NodeError> {
    let mut messages = futures::stream::poll_fn(move |context| connection.poll_message(context));
    while let Some(message) = messages.next().await {
        meter.grant(MESSAGE_BYTES_MAX);
        if let AsyncMessage::Notification(notification) = message.map_err(|error| failed(&error))? {
            // Nobody who takes them is left only when the listener ends.
            if sender.send(notification).await.is_err() {
                break;
            }
        }
    }
    Err(NodeError::api("the database ended the connection"))
}

/// Makes what tells of changes, where that is asked for; answers the channel.
async fn prepare(client: &Client, listening: &Listening) -> Result<String, NodeError> {
    if listening.text("triggerMode", "createTrigger") == "listenTrigger" {
        return named(&listening.text("channelName", ""), "channelName");
    }
    let own = format!("timeloom_{}", short(&listening.node.name, &listening.node.parameters));
    let given = |field: &str| match listening.text(&format!("additionalFields.{field}"), "") {
        text if text.trim().is_empty() => Ok(own.clone()),
        text => named(&text, field),
    };
    let (channel, function, trigger) = (given("channelName")?, given("functionName")?, given("triggerName")?);
    let schema = located(listening, "schema").unwrap_or_else(|| "public".to_owned());
    let table = located(listening, "tableName").ok_or_else(|| {
        NodeError::operation("the node names no table").described("name the table whose changes are to be told")
    })?;
    let event = match listening.text("firesOn", "INSERT").as_str() {
        event @ ("INSERT" | "UPDATE" | "DELETE") => event.to_owned(),
        other => {
            return Err(NodeError::operation(format!("'{other}' is no change of rows: use INSERT, UPDATE or DELETE")));
        }
    };
    // What is made by this very node may be there from the last time; what others made is replaced only when that is said.
    let replaces = function == own || listening.boolean("additionalFields.replaceIfExists", false);
    let (function, qualified) = (qualified(&schema, &function), qualified(&schema, &table));
    let row = if event == "DELETE" { "OLD" } else { "NEW" };
    let payload = match event.as_str() {
        "UPDATE" => "json_build_object('old', row_to_json(OLD), 'new', row_to_json(NEW))::text",
        _ => &format!("row_to_json({row})::text"),
    };
    let or_replace = if replaces { "OR REPLACE " } else { "" };
    let statements = format!(
        "BEGIN;
         CREATE {or_replace}FUNCTION {function}() RETURNS TRIGGER AS $timeloom$
         BEGIN PERFORM pg_notify({channel}, {payload}); RETURN {row}; END; $timeloom$ LANGUAGE plpgsql;
         CREATE {or_replace}TRIGGER {trigger} AFTER {event} ON {qualified} FOR EACH ROW EXECUTE FUNCTION {function}();
         COMMIT;",
        channel = literal(&channel),
        trigger = quoted(&trigger),
    );
    execute(client, &statements).await?;
    Ok(channel)
}

async fn execute(client: &Client, statement: &str) -> Result<(), NodeError> {
    match tokio::time::timeout(STATEMENT_TIME_MAX, client.batch_execute(statement)).await {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(_) => Err(NodeError::api(format!("the database did not answer within {} s", STATEMENT_TIME_MAX.as_secs()))),
    }
}

fn message(notification: &Notification) -> Message {
    let text = notification.payload();
    let payload = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let fields = [
        ("processId".to_owned(), json!(notification.process_id())),
        ("channel".to_owned(), json!(notification.channel())),
        ("payload".to_owned(), payload),
    ];
    Message { position: None, bytes: text.len(), items: vec![Item::new(JsonObject::from_iter(fields))] }
}

/// What a parameter that names a thing of the database says.
fn located(listening: &Listening, name: &str) -> Option<String> {
    let value = match listening.parameter(name)? {
        Value::Object(located) => located.get("value")?.as_str()?,
        other => other.as_str()?,
    };
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn named(text: &str, field: &str) -> Result<String, NodeError> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains('\0') || text.contains("$timeloom$") {
        let message = format!("'{field}' is no name in PostgreSQL: give 1 to {NAME_BYTES_MAX} bytes");
        return Err(NodeError::operation(message));
    }
    Ok(text.to_owned())
}

/// What tells this node's names in the database from those of others.
fn short(node: &str, parameters: &Value) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(format!("{node}\n{parameters}").as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn failed(error: &tokio_postgres::Error) -> NodeError {
    match error.as_db_error() {
        Some(told) => NodeError::operation(format!("PostgreSQL refused: {}", told.message())),
        None => NodeError::api(format!("PostgreSQL: {error}")),
    }
}
