//! `timeloom log archive`, `unarchive` and `segments`: old events into segments and back, and which segments there are.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::moment::time;
use super::progress::Progress;
use super::{Access, Failure, output};
use crate::config::Config;

const ARCHIVE: &str = "mutation($input: ArchiveLogInput!) { archiveLog(input: $input) {
    done events payloadBytes segmentBytes archivedUpTo end errors { code message }
} }";
const UNARCHIVE: &str = "mutation($input: UnarchiveLogInput!) { unarchiveLog(input: $input) {
    done events archivedUpTo errors { code message }
} }";
const SEGMENTS: &str = "query($after: Position, $first: Int!) { logArchive(after: $after, first: $first) {
    archivedUpTo droppedUpTo segments { first last recordedUntil place name bytes sha256 }
} }";
/// Segments that are asked for at once.
const PAGE: usize = 500;

/// What is to go into the archive.
#[derive(Debug, Args)]
pub struct ArchiveArguments {
    /// Events that the log took before this time: 2026-01-31T12:00:00Z, or a day, which begins at midnight UTC.
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<DateTime<Utc>>,
    /// Events up to and with this position; the newest event always stays.
    #[arg(long, value_name = "POSITION", required_unless_present = "before", conflicts_with = "before")]
    up_to: Option<u64>,
    /// Where to: a folder, within the data folder where it does not begin with /, or s3://BUCKET/PREFIX.
    #[arg(long, value_name = "PLACE", default_value = "archive")]
    to: String,
    #[command(flatten)]
    access: Access,
}

/// What all calls together moved.
#[derive(Debug, Default)]
struct Moved {
    events: u64,
    segments: u64,
    payload_bytes: u64,
    segment_bytes: u64,
}

impl ArchiveArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let client = Client::open(&self.access, config).await?;
        let moved = self.archive(&client).await;
        client.close().await;
        let (moved, up_to) = moved?;
        if self.access.json {
            output::json(&json!({
                "archivedUpTo": up_to,
                "events": moved.events,
                "segments": moved.segments,
                "payloadBytes": moved.payload_bytes,
                "segmentBytes": moved.segment_bytes,
            }));
            return Ok(());
        }
        if moved.segments == 0 {
            output::line(&format!("there is nothing more to archive: the log is archived up to position {up_to}"));
            return Ok(());
        }
        let megabytes = |bytes: u64| bytes as f64 / 1_000_000.0;
        output::line(&format!(
            "{} events went into {} segments in {}: {:.1} MB of payloads are {:.1} MB now",
            moved.events,
            moved.segments,
            self.to,
            megabytes(moved.payload_bytes),
            megabytes(moved.segment_bytes),
        ));
        output::line(&format!(
            "the log is archived up to position {up_to}; its file keeps its size, and fills the room anew"
        ));
        Ok(())
    }

    /// Moves one segment after the other, until all are there.
    async fn archive(&self, client: &Client) -> Result<(Moved, u64), Failure> {
        let mut progress = Progress::new();
        let moved = self.archive_showing(client, &mut progress).await;
        progress.end();
        moved
    }

    async fn archive_showing(&self, client: &Client, progress: &mut Progress) -> Result<(Moved, u64), Failure> {
        let before = self.before.map(|before| before.to_rfc3339_opts(SecondsFormat::Micros, true));
        let up_to = self.up_to.map(|up_to| up_to.to_string());
        let mut moved = Moved::default();
        loop {
            let input = json!({ "before": before, "upTo": up_to, "to": self.to });
            let answer = client.change("archiveLog", ARCHIVE, input, self.access.json).await?;
            let number = |path: &str| answer.pointer(path).and_then(Value::as_u64).unwrap_or(0);
            let position = |path: &str| output::text(&answer, path).parse::<u64>().unwrap_or(0);
            moved.events += number("/events");
            moved.payload_bytes += number("/payloadBytes");
            moved.segment_bytes += number("/segmentBytes");
            moved.segments += u64::from(number("/events") > 0);
            progress.show("archiving", position("/archivedUpTo"), position("/end"));
            if answer.get("done") != Some(&Value::Bool(false)) {
                return Ok((moved, position("/archivedUpTo")));
            }
        }
    }
}

/// What is to come back out of the archive.
#[derive(Debug, Args)]
pub struct UnarchiveArguments {
    /// The name of a segment, as `timeloom log segments` shows it: it comes back, and every newer one.
    #[arg(value_name = "SEGMENT", required_unless_present = "from", conflicts_with = "from")]
    segment: Option<String>,
    /// Every event from this position on.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    #[command(flatten)]
    access: Access,
}

impl UnarchiveArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let client = Client::open(&self.access, config).await?;
        let mut progress = Progress::new();
        let back = self.bring_back(&client, &mut progress).await;
        progress.end();
        client.close().await;
        let (events, up_to) = back?;
        if self.access.json {
            output::json(&json!({ "archivedUpTo": up_to, "events": events }));
        } else if events == 0 {
            output::line(&format!("there is nothing to bring back: the log is archived up to position {up_to}"));
        } else {
            output::line(&format!(
                "{events} events are back in the log, which is archived up to position {up_to} now; the files of their \
                 segments are not needed any more, and were left where they are"
            ));
        }
        Ok(())
    }

    /// Brings back one segment after the other, until all are there.
    async fn bring_back(&self, client: &Client, progress: &mut Progress) -> Result<(u64, u64), Failure> {
        let from = self.first(client).await?;
        let (mut events, mut begun) = (0, None);
        loop {
            let input = json!({ "from": from.to_string() });
            let answer = client.change("unarchiveLog", UNARCHIVE, input, self.access.json).await?;
            let came = answer.pointer("/events").and_then(Value::as_u64).unwrap_or(0);
            let up_to = output::text(&answer, "/archivedUpTo").parse::<u64>().unwrap_or(0);
            events += came;
            let end = *begun.get_or_insert(up_to + came + 1);
            progress.show("bringing back", end.saturating_sub(up_to + 1), end.saturating_sub(from));
            if answer.get("done") != Some(&Value::Bool(false)) {
                return Ok((events, up_to));
            }
        }
    }

    /// The position from which on everything is to come back.
    async fn first(&self, client: &Client) -> Result<u64, Failure> {
        let Some(name) = &self.segment else { return Ok(self.from.unwrap_or(1)) };
        let Some(segments) = segments(client).await? else {
            output::error(NOT_HERE);
            return Err(Failure::Refused);
        };
        let found = segments.iter().find(|segment| output::text(segment, "/name") == *name);
        match found.and_then(|segment| output::text(segment, "/first").parse().ok()) {
            Some(first) => Ok(first),
            None => {
                output::error(&format!("no segment is called {name}: timeloom log segments lists them"));
                Err(Failure::Refused)
            }
        }
    }
}

/// Where the log cannot be archived.
const NOT_HERE: &str = "this log cannot be archived: only one in a data folder or in PostgreSQL can";

/// Lists the segments, oldest first.
pub async fn list_segments(access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let listed = segments(&client).await;
    client.close().await;
    let Some(segments) = listed? else {
        output::error(NOT_HERE);
        return Err(Failure::Refused);
    };
    if access.json {
        output::json(&Value::Array(segments));
        return Ok(());
    }
    let columns = ["/first", "/last", "/recordedUntil", "/bytes", "/place", "/name"];
    let rows: Vec<Vec<String>> =
        segments.iter().map(|segment| columns.map(|path| output::text(segment, path)).to_vec()).collect();
    output::table(&["FIRST", "LAST", "RECORDED UNTIL", "BYTES", "PLACE", "NAME"], &rows);
    Ok(())
}

/// All of them; `None` where there cannot be any.
async fn segments(client: &Client) -> anyhow::Result<Option<Vec<Value>>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().map(|last| output::text(last, "/last"));
        let data = client.ask(SEGMENTS, json!({ "after": after, "first": PAGE })).await?;
        let Some(page) = data.pointer("/logArchive/segments").and_then(Value::as_array) else { return Ok(None) };
        all.extend(page.iter().cloned());
        if page.len() < PAGE {
            return Ok(Some(all));
        }
    }
}
