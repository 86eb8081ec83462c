//! Runs that nobody waits for any more.

use timeloom_inference::onnx::Options;
use timeloom_inference::{Instance, RunError, Stop};

use crate::support::{floats, inputs, integers, session};

/// Steps of the loop that would take hours.
const FOR_EVER: i64 = 1 << 40;

#[test]
fn a_run_ends_when_it_is_told_to_stop_and_the_session_computes_again() {
    let mut session = session("loop.onnx", Options::default());
    let ones = || floats(&[64, 64], &[0.0; 4096]);
    let stop = Stop::default();
    let stopper = stop.clone();
    let thread = std::thread::spawn(move || {
        while !stopper.is_heeded() {
            std::thread::yield_now();
        }
        stopper.stop();
    });
    let ran = session.run(&[inputs(vec![integers(&[], &[FOR_EVER]), ones()])], &stop);
    assert_eq!(ran, Err(RunError::Stopped));
    thread.join().unwrap();

    let ran = session.run(&[inputs(vec![integers(&[], &[3]), ones()])], &Stop::default()).unwrap();
    assert_eq!(ran.outputs[0][0], ones());
}

#[test]
fn a_run_that_was_stopped_before_it_began_does_not_begin() {
    let mut session = session("loop.onnx", Options::default());
    let stop = Stop::default();
    stop.stop();
    let sent = inputs(vec![integers(&[], &[FOR_EVER]), floats(&[64, 64], &[0.0; 4096])]);
    assert_eq!(session.run(&[sent], &stop), Err(RunError::Stopped));
}
