//! What the machine can compute of a model when nothing is in between: the runtime in this process, 32 rows at a time.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use timeloom_domain::inference::ElementType;
use timeloom_inference::onnx::{self, Library, Model, Options, Runtime};
use timeloom_inference::{Inputs, Instance as _, Stop, Tensor};

use crate::writer;

/// Rows that are computed together.
const ROWS: usize = 32;
/// How long it is measured.
const WINDOW: Duration = Duration::from_secs(3);

fn runtime() -> Runtime {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let library = Library { explicit: None, configured: variable("TIMELOOM_ONNXRUNTIME"), cache };
    Runtime::open(&onnx::find(&library).unwrap()).unwrap()
}

/// Rows a second of a perceptron of these widths, by a session on each core with one thread.
pub(crate) fn rows_per_second(widths: &[u64], folder: &Path) -> f64 {
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join("ceiling.onnx");
    std::fs::write(&file, writer::perceptron(widths)).unwrap();
    let runtime = runtime();
    let model = Model::open(&runtime, &file, Options::default()).unwrap();
    let cores = thread::available_parallelism().unwrap().get();
    let mut sessions: Vec<_> = (0..cores).map(|_| model.session().unwrap()).collect();
    let width = widths[0] as usize;
    thread::scope(|scope| {
        let work = sessions.iter_mut().map(|session| {
            scope.spawn(move || {
                let numbers: Vec<u8> = (0..ROWS * width).flat_map(|at| (at as f32 % 7.0).to_le_bytes()).collect();
                let tensor = Tensor::new(ElementType::F32, vec![ROWS, width], numbers.into()).unwrap();
                let batch = [Inputs { tensors: vec![tensor], rows: ROWS }];
                let began = Instant::now();
                let mut rows = 0;
                while began.elapsed() < WINDOW {
                    session.run(&batch, &Stop::default()).unwrap();
                    rows += ROWS;
                }
                rows as f64 / began.elapsed().as_secs_f64()
            })
        });
        work.collect::<Vec<_>>().into_iter().map(|work| work.join().unwrap()).sum()
    })
}
