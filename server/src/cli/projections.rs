//! `timeloom projections`: how far the read models are, what they have parked, and their rebuild from the log.
//!
//! With `--server` a running server does it while it goes on serving; without, this process does it over the data folder
//! or beside the servers of a database.

use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};
use timeloom_projections::ProjectionStatus;
use timeloom_store::leases::Roles;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;
use crate::store::Store;

const LIST: &str = "{ projections { name position lag eventsPerSecond parkedCount
  firstParked { position category streamId type error } stopped { position reason } building { position lag }
  lastError { message secondsAgo over } role } }";
const PARKED: &str = "query($projection: String!, $after: String) {
  parkedEvents(projection: $projection, first: 100, after: $after) {
    nodes { position category streamId revision type recordedAt error } pageInfo { hasNextPage endCursor } } }";
const RETRY: &str = "mutation($input: RetryParkedEventsInput!) { retryParkedEvents(input: $input) {
  parkedCount timedOut errors { code message } } }";
const REBUILD: &str = "mutation($input: RebuildProjectionsInput!) { rebuildProjections(input: $input) {
  report { events rows seconds position } timedOut
  projections { name parkedCount firstParked { error } } errors { code message } } }";

/// How long to wait for a server, in milliseconds: the longest that it allows.
const WAIT_MS: u64 = 300_000;
/// What an event waits for that has no error of its own.
const WAITS: &str = "it waits for an earlier event of its stream";

#[derive(Debug, Subcommand)]
pub enum ProjectionsVerb {
    /// Show how far each projection is, and what keeps it
    List {
        #[command(flatten)]
        access: Access,
    },
    /// List the events that could not be folded
    Parked {
        /// Name of the projection: all, when none is named
        name: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Try again to fold what is parked
    Retry {
        /// Names of the projections: all, when none is named
        names: Vec<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Build read models again from the log: a running server's, with --server
    Rebuild {
        /// Names of the projections to build: all, when none is named
        names: Vec<String>,
        #[command(flatten)]
        access: Access,
    },
}

impl ProjectionsVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { access } => list(&access, config).await,
            Self::Parked { name, access } => {
                let client = Client::open(&access, config).await?;
                let result = parked(&client, name, access.json).await;
                client.close().await;
                Ok(result?)
            }
            Self::Retry { names, access } => retry(&names, &access, config).await,
            Self::Rebuild { names, access } if access.server.is_some() => rebuild_there(&names, &access, config).await,
            Self::Rebuild { names, access } => rebuild_here(&names, access.json, config).await,
        }
    }
}

fn entries(value: &Value, path: &str) -> Vec<Value> {
    value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default()
}

async fn list(access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(LIST, json!({})).await;
    client.close().await;
    let data = data?;
    if access.json {
        output::json(&data.get("projections").cloned().unwrap_or_default());
        return Ok(());
    }
    let projections = entries(&data, "/projections");
    let cells = |projection: &Value| {
        let rate = projection.get("eventsPerSecond").and_then(Value::as_f64).unwrap_or_default();
        let state = match (projection.pointer("/stopped/position"), projection.pointer("/building/position")) {
            (Some(Value::String(position)), _) => format!("stopped before {position}"),
            (_, Some(Value::String(position))) => format!("being rebuilt, at {position}"),
            _ => "follows".to_owned(),
        };
        let [name, position, lag, parked] =
            ["/name", "/position", "/lag", "/parkedCount"].map(|path| output::text(projection, path));
        vec![name, position, lag, format!("{rate:.0}"), parked, state]
    };
    let rows: Vec<Vec<String>> = projections.iter().map(cells).collect();
    output::table(&["NAME", "POSITION", "BEHIND", "EVENTS/S", "PARKED", "STATE"], &rows);
    for projection in &projections {
        tell_troubles(projection);
    }
    if projections.iter().any(|projection| output::text(projection, "/role") == "STANDBY") {
        output::notice("another process writes these rows: it is the one to ask for a rebuild");
    }
    Ok(())
}

/// What a person has to look at, below the table.
fn tell_troubles(projection: &Value) {
    let name = output::text(projection, "/name");
    let told = |path: &str| projection.pointer(path).is_some_and(|value| !value.is_null());
    if told("/stopped") {
        output::line(&format!("{name} has stopped: {}", output::text(projection, "/stopped/reason")));
    }
    if told("/firstParked") {
        output::line(&format!("{name}, first parked: {}", parked_line(&projection["firstParked"])));
    }
    if told("/lastError") && projection.pointer("/lastError/over") == Some(&Value::Bool(false)) {
        let (message, ago) =
            (output::text(projection, "/lastError/message"), output::text(projection, "/lastError/secondsAgo"));
        output::line(&format!("{name}, last error, {ago} s ago: {message}"));
    }
}

fn parked_line(event: &Value) -> String {
    let [position, category, stream, event_type] =
        ["/position", "/category", "/streamId", "/type"].map(|path| output::text(event, path));
    let error = event.get("error").and_then(Value::as_str).unwrap_or(WAITS);
    format!("{position}  {category}/{stream}  {event_type}  {error}")
}

/// Prints page after page; a projection parks ten thousand events at most.
async fn parked(client: &Client, name: Option<String>, json: bool) -> anyhow::Result<()> {
    let names = match name {
        Some(name) => vec![name],
        None => {
            let projections = entries(&client.ask(LIST, json!({})).await?, "/projections");
            projections.iter().map(|projection| output::text(projection, "/name")).collect()
        }
    };
    for name in names {
        let mut after = Value::Null;
        loop {
            let data = client.ask(PARKED, json!({ "projection": name, "after": after })).await?;
            for mut event in entries(&data, "/parkedEvents/nodes") {
                if json {
                    event["projection"] = json!(name);
                    output::json(&event);
                } else {
                    output::line(&format!("{name}  {}", parked_line(&event)));
                }
            }
            if data.pointer("/parkedEvents/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
                break;
            }
            after = data.pointer("/parkedEvents/pageInfo/endCursor").cloned().unwrap_or_default();
        }
    }
    Ok(())
}

async fn retry(names: &[String], access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let input = json!({ "names": names, "timeoutMs": WAIT_MS });
    let result = client.change("retryParkedEvents", RETRY, input, access.json).await;
    client.close().await;
    let payload = result?;
    if access.json {
        output::json(&payload);
    } else if !goes_on(&payload) {
        output::line(&format!("{} events are parked still", output::text(&payload, "/parkedCount")));
    }
    Ok(())
}

/// Tells that the server goes on with it, if that is so.
fn goes_on(payload: &Value) -> bool {
    let timed_out = payload.get("timedOut") == Some(&Value::Bool(true));
    if timed_out {
        output::line("it takes long and goes on in the server: `timeloom projections list` shows how far it is");
    }
    timed_out
}

async fn rebuild_there(names: &[String], access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let input = json!({ "names": names, "waitFor": "COMPLETED", "timeoutMs": WAIT_MS });
    let result = client.change("rebuildProjections", REBUILD, input, access.json).await;
    client.close().await;
    let payload = result?;
    let parked = entries(&payload, "/projections").into_iter().map(|projection| {
        let error = projection.pointer("/firstParked/error").and_then(Value::as_str).unwrap_or(WAITS);
        (
            output::text(&projection, "/name"),
            projection.get("parkedCount").cloned().unwrap_or_default(),
            error.to_owned(),
        )
    });
    let parked: Vec<_> = parked.collect();
    if payload.get("report").is_none_or(Value::is_null) {
        if access.json {
            output::json(&payload);
        } else {
            goes_on(&payload);
        }
        return Ok(());
    }
    let mut report = payload["report"].clone();
    // A number, as a rebuild without a server answers it.
    if let Ok(position) = output::text(&report, "/position").parse::<u64>() {
        report["position"] = json!(position);
    }
    tell_report(&report, &parked, access.json);
    Ok(())
}

async fn rebuild_here(names: &[String], json: bool, config: &Config) -> Result<(), Failure> {
    let store = Store::open(config, Roles::all()).await?;
    output::notice("reading the log …");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let report = timeloom_projections::rebuild(store.read_models.clone(), Arc::clone(&store.log), &names).await;
    store.close().await;
    let report = report?;
    let parked = |status: &ProjectionStatus| {
        let first = status.first_parked.as_ref().map_or("", |event| event.reason());
        (status.name.to_owned(), json!(status.parked), first.to_owned())
    };
    let parked: Vec<_> = report.projections.iter().map(parked).collect();
    let told = json!({
        "events": report.events,
        "rows": report.rows,
        "position": report.position,
        "seconds": report.took.as_secs_f64(),
    });
    tell_report(&told, &parked, json);
    Ok(())
}

/// Tells what a rebuild did; with each projection how many events it has parked, and why the first.
fn tell_report(report: &Value, parked: &[(String, Value, String)], json: bool) {
    if json {
        let projections = parked.iter().map(|(name, count, _)| json!({ "name": name, "parked": count }));
        let mut told = report.clone();
        told["projections"] = projections.collect();
        output::json(&told);
        return;
    }
    let [events, position, rows] = ["/events", "/position", "/rows"].map(|path| output::text(report, path));
    let seconds = report.get("seconds").and_then(Value::as_f64).unwrap_or_default();
    output::line(&format!("rebuilt from {events} events, up to position {position}: {rows} rows in {seconds:.1} s"));
    for (name, count, first) in parked.iter().filter(|(_, count, _)| count.as_u64() != Some(0)) {
        output::line(&format!("{name}: {count} events are parked: {first}"));
    }
}
