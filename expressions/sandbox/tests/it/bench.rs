//! How long things take. Bounds are wide, because tests run unoptimised and beside others; the figures are printed.

use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_expressions::port::{Job, Limits};

use crate::support::{scope, session};

fn best(times: usize, mut work: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..times {
        let started = Instant::now();
        work();
        best = best.min(started.elapsed());
    }
    best
}

#[test]
fn sessions_and_expressions_are_quick() {
    let many = scope((0..1000).map(|n| json!({ "n": n, "name": format!("item {n}") })).collect());
    let template = "{{ $json.name.toUpperCase() + ($json.n * 2) }}";
    let job = [Job { template, item_index: 0 }];
    let jobs: Vec<Job<'_>> = (0..1000).map(|item_index| Job { template, item_index }).collect();

    let one = [Job { template: "{{ 1 }}", item_index: 0 }];
    let trivial = best(50, || assert!(session().evaluate(&many, &one, Limits::EXPRESSION)[0].is_ok()));
    println!("fresh session and {{{{ 1 }}}} {trivial:?}");
    let fresh = best(50, || assert!(session().evaluate(&many, &job, Limits::EXPRESSION)[0].is_ok()));
    let mut warm = session();
    let single = best(200, || assert!(warm.evaluate(&many, &job, Limits::EXPRESSION)[0].is_ok()));
    let batch = best(20, || assert_eq!(warm.evaluate(&many, &jobs, Limits::EXPRESSION).len(), 1000));
    println!(
        "fresh session and expression {fresh:?}, warm expression {single:?}, in a batch of 1000 {:?} each",
        batch / 1000
    );
    assert!(fresh < Duration::from_millis(50), "{fresh:?}");
    assert!(batch / 1000 < Duration::from_millis(1), "{batch:?}");
}
