//! The item that a Schedule Trigger gives.

use chrono::Datelike as _;
use chrono_tz::Tz;
use serde_json::json;
use timeloom_domain::item::JsonObject;

use super::cron::moment;

/// What a Schedule Trigger tells of the moment at which it is due.
pub fn firing_item(at_ms: i64, zone: Tz) -> JsonObject {
    let Some(at) = moment(at_ms, zone) else { return JsonObject::new() };
    let day = at.day();
    let ending = match (day % 10, day % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    let time = at.format("%-I:%M:%S %P").to_string();
    let fields = [
        ("timestamp", at.format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()),
        ("Readable date", format!("{} {day}{ending} {}, {time}", at.format("%B"), at.format("%Y"))),
        ("Readable time", time),
        ("Day of week", at.format("%A").to_string()),
        ("Year", at.format("%Y").to_string()),
        ("Month", at.format("%B").to_string()),
        ("Day of month", at.format("%d").to_string()),
        ("Hour", at.format("%H").to_string()),
        ("Minute", at.format("%M").to_string()),
        ("Second", at.format("%S").to_string()),
        ("Timezone", format!("{} (UTC{})", zone.name(), at.format("%:z"))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}
