//! Models that carry what they know from step to step.

use timeloom_inference::RunError;
use timeloom_inference::instance::Stop;
use timeloom_inference::onnx::{Carried, Model, Options, Steps};

use crate::support::{floats, model, numbers, runtime};

fn carried(input: &str, output: &str) -> Carried {
    Carried { input: input.to_owned(), output: output.to_owned() }
}

fn steps(carried: &[Carried]) -> Result<Steps, String> {
    let model = Model::open(&runtime(), &model("stateful.onnx"), Options::default());
    model.and_then(|model| model.steps(carried)).map_err(|error| error.to_string())
}

#[test]
fn what_a_step_carries_is_there_in_the_next_and_forgotten_when_it_begins_again() {
    let mut steps = steps(&[carried("state", "state_out")]).unwrap();
    let mut step = |x: [f32; 2]| {
        let given = steps.step(&[("x", floats(&[1, 2], &x))], &Stop::default()).unwrap();
        given.iter().map(numbers).collect::<Vec<_>>()
    };
    assert_eq!(step([1.0, 2.0]), [[2.0, 4.0]]);
    assert_eq!(step([1.0, 0.0]), [[4.0, 4.0]]);
    steps.restart();
    let given = steps.step(&[("x", floats(&[1, 2], &[5.0, 0.0]))], &Stop::default()).unwrap();
    assert_eq!(numbers(&given[0]), [10.0, 0.0]);
}

#[test]
fn a_step_that_does_not_fit_or_is_stopped_is_refused_and_carries_nothing() {
    assert!(steps(&[carried("none", "state_out")]).err().unwrap().contains("'none'"));
    let mut steps = steps(&[carried("state", "state_out")]).unwrap();
    let x = || floats(&[1, 2], &[1.0, 1.0]);
    steps.step(&[("x", x())], &Stop::default()).unwrap();
    for (wrong, said) in [(("y", x()), "missing"), (("x", floats(&[1, 3], &[0.0; 3])), "shape")] {
        let error = steps.step(&[wrong], &Stop::default()).unwrap_err();
        assert!(matches!(&error, RunError::Unfit(why) if why.contains(said)), "{error}");
    }
    let stop = Stop::default();
    stop.stop();
    assert_eq!(steps.step(&[("x", x())], &stop).unwrap_err(), RunError::Stopped);
    let given = steps.step(&[("x", x())], &Stop::default()).unwrap();
    assert_eq!(numbers(&given[0]), [2.0, 2.0], "nothing was carried");
}
