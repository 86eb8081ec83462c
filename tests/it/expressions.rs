//! The native evaluator answers as the JavaScript engine does, or does not answer.

use std::cell::{Cell, RefCell};

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;
use timeloom_expressions::port::{Evaluated, Job, Limits, ScriptEngine as _};
use timeloom_expressions::testing::{case, evaluate_native, scope_of};
use timeloom_sandbox::SandboxEngine;

use crate::workflows::same;

/// Random expressions in one test run; always the same ones.
const CASES: u32 = 2_000;

fn equal(left: &Evaluated, right: &Evaluated) -> bool {
    match (left, right) {
        (Evaluated::Json(left), Evaluated::Json(right)) => same(left, right),
        (Evaluated::Special { kind: left_kind, json: left }, Evaluated::Special { kind: right_kind, json: right }) => {
            left_kind == right_kind && same(left, right)
        }
        _ => left == right,
    }
}

#[test]
fn native_answers_are_those_of_the_javascript_engine() {
    let session = RefCell::new(SandboxEngine::new(1).unwrap().session().unwrap());
    let answered = Cell::new(0_u32);
    let mut runner = TestRunner::new_with_rng(
        Config { cases: CASES, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let outcome = runner.run(&case(), |case| {
        let scope = scope_of(vec![case.json.clone()]);
        let job = Job { template: &case.template, item_index: 0 };
        let Some(native) = evaluate_native(&scope, job) else { return Ok(()) };
        answered.set(answered.get() + 1);
        let engine = session.borrow_mut().evaluate(&scope, &[job], Limits::EXPRESSION).remove(0);
        match engine {
            Ok(engine) if equal(&engine, &native) => Ok(()),
            engine => Err(TestCaseError::fail(format!(
                "'{}' over {}: natively {native:?}, in JavaScript {engine:?}",
                case.template,
                Value::Object(case.json)
            ))),
        }
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(answered.get() > CASES / 4, "only {} of {CASES} were answered natively", answered.get());
}
