//! What it costs to look for the secrets of credentials in what came back from where they were used, by how many secrets
//! there are. Beside writing the same items down as JSON, so that the ratios are of one run.
//!
//! `cargo bench -p timeloom-commands --bench redaction [-- <items>]`; a thousand when not said.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at anything and prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_commands::SecretTexts;
use timeloom_domain::item::Item;

/// Items when nothing else is said.
const ITEMS: usize = 1_000;
/// Times that each is measured.
const SAMPLES: usize = 40;
/// One item in so many has a secret in it.
const SECRET_EVERY: usize = 100;

fn secret(number: usize) -> String {
    format!("s{number:03}-a-secret-of-a-credential-{number:05}")
}

fn items(count: usize, with_secrets: bool) -> Vec<Item> {
    let item = |number: usize| {
        let echoed =
            if with_secrets && number.is_multiple_of(SECRET_EVERY) { secret(0) } else { "nothing to hide".to_owned() };
        let json = json!({
            "id": number, "name": "a name of some length", "echoed": echoed, "tags": ["one", "two"],
            "text": "what a service answers to a call, in some words that say nothing about who made it, ".repeat(4),
        });
        Item::new(json.as_object().cloned().unwrap())
    };
    (0..count).map(item).collect()
}

fn noted(count: usize) -> SecretTexts {
    let texts = SecretTexts::default();
    (0..count).for_each(|number| texts.note("a credential", &secret(number)));
    texts
}

/// Median of what it takes; each time with items of its own.
fn measured(items: &[Item], mut work: impl FnMut(&mut Vec<Item>)) -> Duration {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let mut own = items.to_vec();
        let began = Instant::now();
        work(&mut own);
        times.push(began.elapsed());
        black_box(own);
    }
    times.sort_unstable();
    times[SAMPLES / 2]
}

fn main() {
    let count = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(ITEMS);
    let clean = items(count, false);
    let bytes = serde_json::to_vec(&clean).unwrap().len();
    let written = measured(&clean, |items| drop(black_box(serde_json::to_vec(items).unwrap())));
    let print = |what: &str, took: Duration| {
        let ratio = took.as_secs_f64() / written.as_secs_f64();
        println!("{what:<58} median {took:>9.2?}  {ratio:>5.2} times writing them down");
    };
    print(&format!("write {count} items down, {bytes} bytes"), written);
    for secrets in [0, 1, 10, 100, 1_000] {
        let texts = noted(secrets);
        let hide = |items: &mut Vec<Item>| {
            if let Some(finder) = texts.finder() {
                items.iter_mut().for_each(|item| finder.hide_in_item(item));
            }
        };
        print(&format!("{secrets} secrets, in none of them"), measured(&clean, hide));
    }
    let (echoing, texts) = (items(count, true), noted(10));
    let finder = texts.finder().unwrap();
    let hide = |items: &mut Vec<Item>| items.iter_mut().for_each(|item| finder.hide_in_item(item));
    print(&format!("10 secrets, one of them in one item of {SECRET_EVERY}"), measured(&echoing, hide));
    let began = Instant::now();
    for _ in 0..SAMPLES {
        black_box(noted(10).finder());
    }
    print("to note 10 secrets and make what finds them", began.elapsed() / SAMPLES as u32);
}
