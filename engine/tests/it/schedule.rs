//! When triggers that start by the clock are due.

use chrono::{DateTime, Datelike, TimeZone, Timelike};
use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_engine::schedule::{CRON, INTERVAL, SCHEDULE_TRIGGER, Schedule, Timetable, firing_item};

const BERLIN: Tz = Tz::Europe__Berlin;
const NEW_YORK: Tz = Tz::America__New_York;

fn at(zone: Tz, text: &str) -> i64 {
    let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
    zone.from_local_datetime(&local).earliest().unwrap().timestamp_millis()
}

fn shown(zone: Tz, at_ms: i64) -> String {
    zone.timestamp_millis_opt(at_ms).unwrap().format("%Y-%m-%d %H:%M:%S%:z").to_string()
}

fn timetable(node_type: &str, parameters: Value, since: i64, zone: Tz) -> Timetable {
    Schedule::parse(node_type, &parameters).unwrap().timetable(since, zone)
}

fn rule(entry: Value) -> Value {
    json!({ "rule": { "interval": [entry] } })
}

/// The first times of a rule of the Schedule Trigger that became active at `since`.
fn first(count: usize, entry: Value, zone: Tz, since: &str) -> Vec<String> {
    firings(count, SCHEDULE_TRIGGER, rule(entry), zone, since)
}

fn firings(count: usize, node_type: &str, parameters: Value, zone: Tz, since: &str) -> Vec<String> {
    let since = at(zone, since);
    let timetable = timetable(node_type, parameters, since, zone);
    let times = std::iter::successors(timetable.next_after(since), |last| timetable.next_after(*last));
    times.take(count).map(|time| shown(zone, time)).collect()
}

#[test]
fn seconds_minutes_and_hours_are_those_of_the_clock() {
    let seconds = json!({ "field": "seconds", "secondsInterval": 20 });
    assert_eq!(
        first(3, seconds, Tz::UTC, "2026-03-02 10:00:05"),
        ["2026-03-02 10:00:20+00:00", "2026-03-02 10:00:40+00:00", "2026-03-02 10:01:00+00:00"]
    );
    let minutes = json!({ "field": "minutes", "minutesInterval": 15 });
    assert_eq!(
        first(3, minutes, Tz::UTC, "2026-03-02 10:31:00"),
        ["2026-03-02 10:45:00+00:00", "2026-03-02 11:00:00+00:00", "2026-03-02 11:15:00+00:00"]
    );
    let hours = json!({ "field": "hours", "hoursInterval": 6, "triggerAtMinute": 10 });
    assert_eq!(
        first(3, hours, Tz::UTC, "2026-03-02 11:00:00"),
        ["2026-03-02 12:10:00+00:00", "2026-03-02 18:10:00+00:00", "2026-03-03 00:10:00+00:00"]
    );
    assert_eq!(
        first(2, json!({ "field": "minutes" }), Tz::UTC, "2026-03-02 10:31:00"),
        ["2026-03-02 10:35:00+00:00", "2026-03-02 10:40:00+00:00"],
        "five minutes when nothing is said"
    );
}

#[test]
fn hours_that_do_not_divide_the_day_go_on_over_midnight() {
    let hours = json!({ "field": "hours", "hoursInterval": 5, "triggerAtMinute": 30 });
    assert_eq!(
        first(4, hours, Tz::UTC, "2026-03-02 15:45:00"),
        [
            "2026-03-02 16:30:00+00:00",
            "2026-03-02 21:30:00+00:00",
            "2026-03-03 02:30:00+00:00",
            "2026-03-03 07:30:00+00:00"
        ]
    );
}

#[test]
fn days_weeks_and_months_count_from_their_first_time() {
    let days = json!({ "field": "days", "daysInterval": 3, "triggerAtHour": 9, "triggerAtMinute": 15 });
    assert_eq!(
        first(3, days, BERLIN, "2026-12-29 12:00:00"),
        ["2026-12-30 09:15:00+01:00", "2027-01-02 09:15:00+01:00", "2027-01-05 09:15:00+01:00"]
    );
    let weeks = json!({ "field": "weeks", "weeksInterval": 2, "triggerAtDay": [1, 4], "triggerAtHour": 8 });
    assert_eq!(
        first(4, weeks, Tz::UTC, "2026-03-03 00:00:00"),
        [
            "2026-03-05 08:00:00+00:00",
            "2026-03-16 08:00:00+00:00",
            "2026-03-19 08:00:00+00:00",
            "2026-03-30 08:00:00+00:00"
        ]
    );
    let months = json!({ "field": "months", "monthsInterval": 3, "triggerAtDayOfMonth": 5, "triggerAtHour": 7 });
    assert_eq!(
        first(3, months, Tz::UTC, "2026-02-01 00:00:00"),
        ["2026-04-05 07:00:00+00:00", "2026-07-05 07:00:00+00:00", "2026-10-05 07:00:00+00:00"]
    );
    let uneven = json!({ "field": "months", "monthsInterval": 5, "triggerAtDayOfMonth": 1 });
    assert_eq!(
        first(3, uneven, Tz::UTC, "2026-02-10 00:00:00"),
        ["2026-03-01 00:00:00+00:00", "2026-08-01 00:00:00+00:00", "2027-01-01 00:00:00+00:00"]
    );
}

#[test]
fn a_month_without_that_day_is_left_out() {
    let months = json!({ "field": "months", "triggerAtDayOfMonth": 31, "triggerAtHour": 6 });
    assert_eq!(
        first(3, months, Tz::UTC, "2026-02-01 00:00:00"),
        ["2026-03-31 06:00:00+00:00", "2026-05-31 06:00:00+00:00", "2026-07-31 06:00:00+00:00"]
    );
}

#[test]
fn without_a_rule_it_is_every_day_at_midnight() {
    for parameters in [json!({}), json!({ "rule": {} }), json!({ "rule": { "interval": [{}] } })] {
        let times = firings(2, SCHEDULE_TRIGGER, parameters, BERLIN, "2026-05-01 10:00:00");
        assert_eq!(times, ["2026-05-02 00:00:00+02:00", "2026-05-03 00:00:00+02:00"]);
    }
}

#[test]
fn several_rules_are_due_together_once() {
    let parameters = json!({ "rule": { "interval": [
        { "field": "hours", "hoursInterval": 12 },
        { "field": "cronExpression", "expression": "=0 0 9,12 * * *" },
    ] } });
    assert_eq!(
        firings(4, SCHEDULE_TRIGGER, parameters, Tz::UTC, "2026-05-01 00:00:00"),
        [
            "2026-05-01 09:00:00+00:00",
            "2026-05-01 12:00:00+00:00",
            "2026-05-02 00:00:00+00:00",
            "2026-05-02 09:00:00+00:00"
        ]
    );
}

#[test]
fn cron_expressions_know_names_lists_steps_and_last_days() {
    let cron = |expression: &str| json!({ "field": "cronExpression", "expression": expression });
    let next = |expression: &str| first(1, cron(expression), Tz::UTC, "2026-03-02 10:00:30").remove(0);
    for (expression, time) in [
        ("* * * * *", "2026-03-02 10:01:00+00:00"),
        ("*/10 * * * * *", "2026-03-02 10:00:40+00:00"),
        ("0 9-17/4 * * MON-FRI", "2026-03-02 13:00:00+00:00"),
        ("30 8 * jan,JUN sun", "2026-06-07 08:30:00+00:00"),
        ("0 0 7 * 7", "2026-03-07 00:00:00+00:00"),
        ("0 12 L * *", "2026-03-31 12:00:00+00:00"),
        ("0 12 15W * *", "2026-03-16 12:00:00+00:00"),
        ("0 12 * * 5#2", "2026-03-13 12:00:00+00:00"),
        ("@hourly", "2026-03-02 11:00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00+00:00"),
    ] {
        assert_eq!(next(expression), time, "{expression}");
    }
}

#[test]
fn a_rule_that_says_no_time_is_refused_with_its_field() {
    for (entry, field, words) in [
        (json!({ "field": "cronExpression", "expression": "61 * * * *" }), "expression", "not a cron expression"),
        (json!({ "field": "cronExpression", "expression": "" }), "expression", "not a cron expression"),
        (json!({ "field": "cronExpression", "expression": "0 0 30 2 *" }), "expression", "never comes"),
        (json!({ "field": "cronExpression", "expression": "={{ $json.cron }}" }), "expression", "no items"),
        (json!({ "field": "minutes", "minutesInterval": 90 }), "minutesInterval", "use 1 to 59"),
        (json!({ "field": "seconds", "secondsInterval": 0 }), "secondsInterval", "use 1 to 59"),
        (json!({ "field": "days", "triggerAtHour": "noon" }), "triggerAtHour", "whole number"),
        (json!({ "field": "weeks", "triggerAtDay": [9] }), "triggerAtDay", "0 (Sunday)"),
        (json!({ "field": "years" }), "field", "not known"),
    ] {
        let error = Schedule::parse(SCHEDULE_TRIGGER, &rule(entry.clone())).unwrap_err();
        assert_eq!(error.field, format!("parameters.rule.interval[0].{field}"), "{entry}");
        assert!(error.message.contains(words), "{entry}: {error}");
    }
    assert!(Schedule::parse(CRON, &json!({})).unwrap_err().message.contains("there is no time"));
    assert!(Schedule::parse(INTERVAL, &json!({ "interval": 0 })).unwrap_err().message.contains("use 1 or more"));
    assert!(Schedule::parse("n8n-nodes-base.set", &json!({})).is_err());
}

#[test]
fn the_older_triggers_have_their_times() {
    let cron = |entry: Value| json!({ "triggerTimes": { "item": [entry] } });
    for (entry, time) in [
        (json!({}), "2026-03-02 14:00:00+00:00"),
        (json!({ "mode": "everyMinute" }), "2026-03-02 10:01:00+00:00"),
        (json!({ "mode": "everyHour", "minute": 20 }), "2026-03-02 10:20:00+00:00"),
        (json!({ "mode": "everyWeek", "hour": 9, "weekday": "3" }), "2026-03-04 09:00:00+00:00"),
        (json!({ "mode": "everyMonth", "hour": 9, "dayOfMonth": 12 }), "2026-03-12 09:00:00+00:00"),
        (json!({ "mode": "everyX", "unit": "minutes", "value": 25 }), "2026-03-02 10:25:00+00:00"),
        (json!({ "mode": "everyX" }), "2026-03-02 12:00:00+00:00"),
        (json!({ "mode": "custom", "cronExpression": " 0 30 10 * * * " }), "2026-03-02 10:30:00+00:00"),
    ] {
        assert_eq!(firings(1, CRON, cron(entry.clone()), Tz::UTC, "2026-03-02 10:00:30"), [time], "{entry}");
    }
    assert_eq!(
        firings(2, INTERVAL, json!({ "interval": 90, "unit": "minutes" }), Tz::UTC, "2026-03-02 10:00:30"),
        ["2026-03-02 11:30:30+00:00", "2026-03-02 13:00:30+00:00"]
    );
}

#[test]
fn a_time_that_the_clock_leaves_out_is_due_at_the_moment_after_the_gap() {
    // 29 March 2026: 02:00 becomes 03:00 in Berlin.
    let daily = json!({ "field": "days", "triggerAtHour": 2, "triggerAtMinute": 30 });
    assert_eq!(
        first(3, daily, BERLIN, "2026-03-27 12:00:00"),
        ["2026-03-28 02:30:00+01:00", "2026-03-29 03:00:00+02:00", "2026-03-30 02:30:00+02:00"]
    );
    let minutes = json!({ "field": "minutes", "minutesInterval": 30 });
    assert_eq!(
        first(3, minutes, BERLIN, "2026-03-29 01:29:00"),
        ["2026-03-29 01:30:00+01:00", "2026-03-29 03:00:00+02:00", "2026-03-29 03:30:00+02:00"]
    );
}

#[test]
fn a_time_that_the_clock_shows_twice_is_due_once() {
    // 1 November 2026: 02:00 becomes 01:00 in New York.
    let daily = json!({ "field": "days", "triggerAtHour": 1, "triggerAtMinute": 30 });
    assert_eq!(
        first(3, daily, NEW_YORK, "2026-10-31 00:00:00"),
        ["2026-10-31 01:30:00-04:00", "2026-11-01 01:30:00-04:00", "2026-11-02 01:30:00-05:00"]
    );
    let hourly = json!({ "field": "hours" });
    assert_eq!(
        first(3, hourly, NEW_YORK, "2026-11-01 00:30:00"),
        ["2026-11-01 01:00:00-04:00", "2026-11-01 01:00:00-05:00", "2026-11-01 02:00:00-05:00"],
        "an hour is an hour"
    );
}

#[test]
fn the_item_tells_the_moment_as_clocks_in_the_zone_show_it() {
    let item = Value::Object(firing_item(at(NEW_YORK, "2026-03-02 15:04:05") + 6, NEW_YORK));
    assert_eq!(
        item,
        json!({
            "timestamp": "2026-03-02T15:04:05.006-05:00",
            "Readable date": "March 2nd 2026, 3:04:05 pm",
            "Readable time": "3:04:05 pm",
            "Day of week": "Monday",
            "Year": "2026",
            "Month": "March",
            "Day of month": "02",
            "Hour": "15",
            "Minute": "04",
            "Second": "05",
            "Timezone": "America/New_York (UTC-05:00)",
        })
    );
    let ordinals = [(1, "1st"), (3, "3rd"), (11, "11th"), (12, "12th"), (21, "21st"), (30, "30th")];
    for (day, ordinal) in ordinals {
        let item = firing_item(at(Tz::UTC, &format!("2026-03-{day:02} 00:00:00")), Tz::UTC);
        assert_eq!(item["Readable date"], json!(format!("March {ordinal} 2026, 12:00:00 am")));
    }
}

fn entries() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..60i64).prop_map(|every| json!({ "field": "seconds", "secondsInterval": every })),
        (1..60i64).prop_map(|every| json!({ "field": "minutes", "minutesInterval": every })),
        (1..24i64, 0..60i64)
            .prop_map(|(every, minute)| json!({ "field": "hours", "hoursInterval": every, "triggerAtMinute": minute })),
        (1..32i64, 0..24i64, 0..60i64).prop_map(|(every, hour, minute)| {
            json!({ "field": "days", "daysInterval": every, "triggerAtHour": hour, "triggerAtMinute": minute })
        }),
        (1..6i64, prop::collection::btree_set(0..7i64, 1..4), 0..24i64).prop_map(|(every, days, hour)| {
            json!({ "field": "weeks", "weeksInterval": every, "triggerAtDay": days, "triggerAtHour": hour })
        }),
        (1..14i64, 1..32i64, 0..24i64).prop_map(|(every, day, hour)| {
            json!({ "field": "months", "monthsInterval": every, "triggerAtDayOfMonth": day, "triggerAtHour": hour })
        }),
        (0..60u32, 0..24u32, 0..7u32).prop_map(|(minute, hour, day)| {
            json!({ "field": "cronExpression", "expression": format!("{minute} {hour} * * {day}") })
        }),
    ]
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Tz::UTC,
        BERLIN,
        NEW_YORK,
        Tz::Asia__Kolkata,
        Tz::Australia__Lord_Howe,
        Tz::America__St_Johns,
        Tz::Atlantic__Azores,
        Tz::Africa__Cairo,
    ])
}

/// Whether a clock in UTC shows a time at which these are due, when they count every one.
fn shows(at: &DateTime<Tz>, minutes: i64, hour: Option<u32>, days: &[u32]) -> bool {
    at.second() == 0
        && i64::from(at.minute()) % minutes == 0
        && hour.is_none_or(|hour| at.hour() == hour && at.minute() == 0)
        && days.contains(&at.weekday().num_days_from_sunday())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// From any moment before a time that is due, that time is the next.
    #[test]
    fn times_increase_and_none_is_passed_over(
        entry in entries(),
        zone in zones(),
        since in 1_700_000_000i64..1_900_000_000,
        ms in 0..1_000i64,
        part in 0.0..1.0f64,
    ) {
        let since = since * 1_000 + ms;
        let timetable = timetable(SCHEDULE_TRIGGER, rule(entry), since, zone);
        let mut last = since;
        for _ in 0..12 {
            let Some(next) = timetable.next_after(last) else { break };
            prop_assert!(next > last, "{} after {}", shown(zone, next), shown(zone, last));
            let between = last + ((next - last - 1) as f64 * part) as i64;
            prop_assert_eq!(timetable.next_after(between), Some(next));
            prop_assert_eq!(timetable.next_after(next - 1), Some(next));
            last = next;
        }
    }

    /// What is due is what a clock shows that is looked at every minute.
    #[test]
    fn it_is_due_when_the_clock_says_so(
        since in 1_700_000_000i64..1_900_000_000,
        minutes in 1..60i64,
        hour in 0..24u32,
        days in prop::collection::btree_set(0..7u32, 1..7),
    ) {
        let minute_ms = 60_000;
        let since = since * 1_000;
        let days: Vec<u32> = days.into_iter().collect();
        let every_minute = timetable(
            SCHEDULE_TRIGGER,
            rule(json!({ "field": "minutes", "minutesInterval": minutes })),
            since,
            Tz::UTC,
        );
        let weekly = timetable(
            SCHEDULE_TRIGGER,
            rule(json!({ "field": "weeks", "triggerAtDay": days, "triggerAtHour": hour })),
            since,
            Tz::UTC,
        );
        let looked = |count: i64, due: &dyn Fn(&DateTime<Tz>) -> bool| -> Option<i64> {
            let first = (since.div_euclid(minute_ms) + 1) * minute_ms;
            (0..count).map(|nth| first + nth * minute_ms).find(|ms| due(&Tz::UTC.timestamp_millis_opt(*ms).unwrap()))
        };
        let all = [0, 1, 2, 3, 4, 5, 6];
        prop_assert_eq!(every_minute.next_after(since), looked(120, &|at| shows(at, minutes, None, &all)));
        prop_assert_eq!(weekly.next_after(since), looked(8 * 24 * 60, &|at| shows(at, 1, Some(hour), &days)));
    }
}
