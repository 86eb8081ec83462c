//! Scripts that mean harm: each ends within its limit, and the engine goes on.

use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_expressions::port::{CodeMode, Evaluated, ExpressionError, Job, Limits, ScriptSession};

use crate::support::{scope, session};

const LIMITS: Limits =
    Limits { time_ms_max: Duration::from_millis(1000), memory_bytes_max: 32 << 20, output_bytes_max: 4 << 20 };

/// Generous: what is measured is that it ends at all, on machines that do other things as well.
const OVERSHOOT: Duration = Duration::from_millis(800);

fn run(session: &mut dyn ScriptSession, code: &str) -> ExpressionError {
    let started = Instant::now();
    let error = session.run_code(&scope(json!([{}])), CodeMode::AllItems, code, LIMITS).unwrap_err();
    let took = started.elapsed();
    assert!(took < LIMITS.time_ms_max + OVERSHOOT, "{code} took {took:?}");
    error
}

fn works(session: &mut dyn ScriptSession) {
    let result =
        session.evaluate(&scope(json!([{ "a": 1 }])), &[Job { template: "{{ $json.a }}", item_index: 0 }], LIMITS);
    assert_eq!(result, [Ok(Evaluated::Json(json!(1)))]);
}

fn assert_limit(code: &str, expected: &str) {
    let mut session = session();
    let error = run(session.as_mut(), code);
    assert_says(code, &error, expected);
    works(session.as_mut());
}

/// The same with time enough to meet another limit first, on machines that do other things as well.
fn assert_other_limit(code: &str, expected: &str) {
    let mut session = session();
    let limits = Limits { time_ms_max: Duration::from_secs(30), ..LIMITS };
    let error = session.run_code(&scope(json!([{}])), CodeMode::AllItems, code, limits).unwrap_err();
    assert_says(code, &error, expected);
    works(session.as_mut());
}

fn assert_says(code: &str, error: &ExpressionError, expected: &str) {
    assert!(matches!(error, ExpressionError::Limit(message) if message.contains(expected)), "{code}: {error:?}");
}

#[test]
fn endless_work_is_stopped_by_the_clock() {
    assert_limit("for (;;) {}", "stopped after 1000 ms");
    assert_limit("/(a+)+$/.test('a'.repeat(40) + 'b'); return []", "stopped after 1000 ms");
    assert_limit("for (;;) await null;", "stopped after 1000 ms");
    assert_limit("const f = () => Promise.resolve().then(f); await f();", "stopped");
    assert_limit("const f = () => setTimeout(f, 1); f(); await new Promise(() => {});", "stopped after 1000 ms");
    assert_limit("try { for (;;) {} } finally { for (;;) {} }", "stopped after 1000 ms");
}

#[test]
fn memory_bombs_meet_the_memory_limit() {
    assert_other_limit("const a = []; for (;;) a.push({ a: [1, 2, 3], b: 'x' + a.length });", "32 MiB");
    assert_other_limit("const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1));", "32 MiB");
    assert_other_limit("let s = 'x'; for (;;) s += s;", "string too long");
}

#[test]
fn a_huge_array_cannot_escape_the_clock() {
    let mut session = session();
    let error = run(session.as_mut(), "return [{ a: new Array(4294967295).join('a') }]");
    assert!(matches!(error, ExpressionError::Limit(_) | ExpressionError::Thrown { .. }), "{error:?}");
    works(session.as_mut());
}

#[test]
fn recursion_meets_the_stack() {
    assert_limit("const f = () => f() + 1; return f();", "nested too deeply");
    assert_limit("let a = []; for (let i = 0; i < 200000; i++) a = [a]; return [{ a }]", "nested too deeply");
}

#[test]
fn large_output_is_refused() {
    assert_limit("return [{ a: 'x'.repeat(5000000) }]", "larger than 4 MiB");
}

#[test]
fn endless_expressions_stop_too() {
    let scope = scope(json!([{}]));
    let jobs = [
        Job { template: "{{ (() => { while (true) {} })() }}", item_index: 0 },
        Job { template: "{{ 1 }}", item_index: 0 },
    ];
    let results = session().evaluate(&scope, &jobs, LIMITS);
    assert!(results.iter().all(|result| matches!(result, Err(ExpressionError::Limit(_)))), "{results:?}");
    let deep = [Job { template: "{{ (function f() { return f() + 1 })() }}", item_index: 0 }];
    assert!(matches!(&session().evaluate(&scope, &deep, LIMITS)[0], Err(ExpressionError::Limit(_))));
}

#[test]
fn one_session_cannot_poison_another() {
    let poison = "
        Array.prototype.map = () => 'poisoned'; Object.prototype.polluted = true; JSON.stringify = () => '[]';
        Promise.prototype.then = null; globalThis.Math = null; throw new Error('done')";
    run(session().as_mut(), poison);
    let scope = scope(json!([{}]));
    let job = [Job { template: "{{ [1].map(x => x + 1)[0] + ' ' + ({}).polluted }}", item_index: 0 }];
    assert_eq!(session().evaluate(&scope, &job, LIMITS), [Ok(Evaluated::Json(json!("2 undefined")))]);
}

#[test]
fn undeclared_variables_end_with_their_script() {
    let mut session = session();
    let scope = scope(json!([{}]));
    session.run_code(&scope, CodeMode::Function, "leaked = 1; return items;", LIMITS).unwrap();
    let output = session.run_code(&scope, CodeMode::AllItems, "return { kind: typeof leaked }", LIMITS).unwrap();
    assert_eq!(output.items[0].json["kind"], "undefined");
}

#[test]
fn nothing_of_the_server_can_be_reached() {
    let code = "
        const F = (() => {}).constructor;
        const g = F('return globalThis')();
        return { process: typeof g.process, require: typeof g.require, fetch: typeof g.fetch, std: typeof g.std, os: typeof g.os }";
    let output = session().run_code(&scope(json!([{}])), CodeMode::AllItems, code, LIMITS).unwrap();
    assert!(output.items[0].json.values().all(|kind| kind == "undefined"), "{:?}", output.items[0].json);
}
