//! What one simple expression costs natively: evaluated from the cache, and from its text each time.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench ends when something is wrong")]

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::testing::scope_of;

/// Evaluations in one round.
const EVALUATIONS: usize = 50_000;
/// Rounds, of which the median counts.
const ROUNDS: usize = 7;

const TEMPLATES: [(&str, &str); 5] = [
    ("path", "{{ $json.customer.name }}"),
    ("arithmetic", "{{ $json.price * $json.count + 1 }}"),
    ("text with a part", "Dear {{ $json.customer.name }}, welcome"),
    ("ternary with a method", "{{ $json.count > 3 ? $json.customer.name.toUpperCase() : 'few' }}"),
    ("map and join", "{{ $json.tags.map(tag => tag + '!').join(', ') }}"),
];

fn microseconds(mut evaluate: impl FnMut(usize)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            (0..EVALUATIONS).for_each(&mut evaluate);
            began.elapsed().as_secs_f64() * 1e6 / EVALUATIONS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    let item = json!({"customer": {"name": "Ada"}, "price": 12.5, "count": 4, "tags": ["new", "trial"]});
    let Value::Object(item) = item else { return };
    let scope = scope_of(vec![item]);
    println!("native expressions, microseconds each (aim under 5)   cached   first time");
    for (name, template) in TEMPLATES {
        let evaluator = Evaluator::new(None);
        let mut session = evaluator.session();
        let cached = microseconds(|_| {
            black_box(session.resolve_template(&scope, black_box(template), 0).unwrap());
        });
        // A different text each time: nothing of it is in the cache.
        let fresh: Vec<String> = (0..EVALUATIONS).map(|index| format!("{template}{}", " ".repeat(index % 7))).collect();
        let first = microseconds(|index| {
            let evaluator = Evaluator::new(None);
            black_box(evaluator.session().resolve_template(&scope, &fresh[index], 0).unwrap());
        });
        println!("  {name:<50} {cached:>8.2} {first:>12.2}");
    }
}
