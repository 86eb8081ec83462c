//! Workflow files that nobody meant well with: real ones, cut, doubled, nested and misspelt thousands of times. Each is refused
//! in words or is a definition that is read back the same; none makes the program break down.
//!
//! `TIMELOOM_SEED=…` repeats a run; the fuzz target `import` looks further, guided by what it reaches.

use std::fs;
use std::path::Path;

use serde_json::Value;
use timeloom_domain::definition::{Graph, Step, check_structure, draft_problems, parse, validate};

const MUTANTS: u64 = 4_000;
/// What files hold that is hard to read.
const PIECES: [&str; 14] = [
    "null",
    "-1",
    "1e400",
    "[[[[[[[[",
    "\"={{ $json }}\"",
    "\"__proto__\"",
    "{\"constructor\": {\"prototype\": 1}}",
    "18446744073709551616",
    "\"\\ud800\"",
    "\"main\"",
    "true",
    "\"\\u0000\"",
    "{}",
    "\"n8n-nodes-base.merge\"",
];

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn files() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = vec![fs::read(root.join("examples/household-electricity/workflow.json")).unwrap()];
    for entry in fs::read_dir(root.join("tests/fixtures/workflows")).unwrap() {
        found.push(fs::read(entry.unwrap().path()).unwrap());
    }
    found
}

/// Changes the text of a file.
fn cut_and_paste(file: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut text = file.to_vec();
    for _ in 0..=chance.below(4) {
        let (from, to) = (chance.below(text.len()), chance.below(text.len()));
        let (from, to) = (from.min(to), from.max(to));
        match chance.below(4) {
            0 => drop(text.drain(from..to)),
            1 => {
                let piece = text[from..to.min(from + 2_000)].to_vec();
                let place = chance.below(text.len());
                text.splice(place..place, piece);
            }
            2 => drop(text.splice(from..from, PIECES[chance.below(PIECES.len())].bytes())),
            _ => {
                if let Some(byte) = text.get_mut(from) {
                    *byte = chance.below(256) as u8;
                }
            }
        }
    }
    text
}

/// Changes the values of a file, which stays JSON.
fn swap_values(value: &mut Value, chance: &mut Chance) {
    if chance.below(500) == 0 {
        *value = serde_json::from_str(PIECES[chance.below(PIECES.len())]).unwrap_or(Value::Null);
        return;
    }
    match value {
        Value::Array(values) => {
            if chance.below(150) == 0 && !values.is_empty() {
                let copy = values[chance.below(values.len())].clone();
                values.push(copy);
            }
            values.iter_mut().for_each(|value| swap_values(value, chance));
        }
        Value::Object(fields) => {
            if chance.below(150) == 0 {
                let key = fields.keys().nth(chance.below(fields.len())).cloned();
                let gone = key.and_then(|key| fields.remove(&key)).unwrap_or_default();
                fields.insert(["nodes", "name", "type", "__proto__", ""][chance.below(5)].to_owned(), gone);
            }
            fields.values_mut().for_each(|value| swap_values(value, chance));
        }
        _ => {}
    }
}

#[test]
fn whatever_is_done_to_a_file_it_is_refused_in_words_or_read_back_the_same() {
    let seed = std::env::var("TIMELOOM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_u64).max(1);
    let (files, catalogue) = (files(), timeloom_nodes::registry::all().catalogue());
    let (mut taken, mut refused) = (0, 0);
    for round in 0..MUTANTS {
        let mut chance = Chance(seed.wrapping_add(round).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let file = &files[chance.below(files.len())];
        let mutant = match serde_json::from_slice::<Value>(file) {
            Ok(mut value) if round % 2 == 0 => {
                swap_values(&mut value, &mut chance);
                value.to_string().into_bytes()
            }
            _ => cut_and_paste(file, &mut chance),
        };
        if let Ok(draft) = parse(&mutant).and_then(|draft| check_structure(&draft).map(|()| draft)) {
            let written = serde_json::to_vec(&draft).unwrap();
            assert_eq!(parse(&written).unwrap(), draft, "seed {seed}, round {round}");
            let problems = draft_problems(&draft, &catalogue);
            assert!(
                validate(&draft, &catalogue).is_ok() || problems.iter().any(|problem| problem.hinders(Step::Publish)),
                "seed {seed}, round {round}: it would not run, and nothing says so: {problems:?}"
            );
        }
        let checked = parse(&mutant).and_then(|definition| validate(&definition, &catalogue).map(|_| definition));
        match checked {
            Ok(definition) => {
                let written = serde_json::to_vec(&definition).unwrap();
                assert_eq!(parse(&written).unwrap(), definition, "seed {seed}, round {round}");
                let _ = Graph::new(&definition).start_node(&definition, &catalogue, None);
                taken += 1;
            }
            Err(error) => {
                let words = error.to_string();
                assert!(words.len() > 10 && words.len() < 100_000, "seed {seed}, round {round}: {words}");
                refused += 1;
            }
        }
    }
    println!("{taken} taken, {refused} refused");
    assert!(
        taken > 50 && refused > 500,
        "{taken} taken, {refused} refused: the changes are neither harmless nor hopeless"
    );
}
