//! A language model that is loaded.

use std::path::Path;

use timeloom_domain::inference::{ElementType, Signature, Tensor};
use timeloom_gateway::CallError;
use timeloom_inference::RunError;
use timeloom_inference::instance::Stop;
use timeloom_inference::onnx::{Carried, Model, Options, Runtime, Steps};

use super::template::Template;
use crate::tokens::{Tokens, fault};

/// What stands before the names of what is carried in and out.
const PAST: &str = "past.";
const PRESENT: &str = "present.";

/// What a language model carries from token to token; nothing where it is none.
pub fn carried(signature: &Signature) -> Vec<Carried> {
    let inputs = signature.inputs.iter().filter_map(|input| {
        let part = input.name.strip_prefix(PAST)?;
        let output = format!("{PRESENT}{part}");
        let given = signature.outputs.iter().any(|spec| spec.name == output);
        given.then(|| Carried { input: input.name.clone(), output })
    });
    inputs.collect()
}

/// A language model that is loaded, with what lies beside it.
pub(super) struct Loaded {
    pub(super) tokens: Tokens,
    pub(super) template: Template,
    pub(super) mind: Mind,
}

/// What goes on from token to token.
pub(super) struct Mind {
    steps: Steps,
    /// Tokens that it has read and written.
    read: usize,
}

impl Loaded {
    /// Loads the model at a path. Waits for the disk and the processor.
    pub(super) fn open(
        runtime: &Runtime,
        path: &Path,
        signature: &Signature,
        threads: usize,
    ) -> Result<Self, CallError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let (tokens, template) = (Tokens::read(folder)?, Template::read(folder)?);
        let options = Options { intra_threads: threads, ..Options::default() };
        let model = Model::open(runtime, path, options);
        let steps = model.and_then(|model| model.steps(&carried(signature)));
        let steps = steps.map_err(|error| fault(format!("the model could not be loaded: {error}")))?;
        Ok(Self { tokens, template, mind: Mind { steps, read: 0 } })
    }
}

impl Mind {
    /// Forgets what was said.
    pub(super) fn restart(&mut self) {
        self.steps.restart();
        self.read = 0;
    }

    /// Reads tokens, and tells how likely each one is to come next. Nothing where it was stopped.
    pub(super) fn read(&mut self, tokens: &[u32], stop: &Stop) -> Result<Option<Vec<f32>>, CallError> {
        self.read += tokens.len();
        let ids: Vec<i64> = tokens.iter().map(|token| i64::from(*token)).collect();
        let total = i32::try_from(self.read).unwrap_or(i32::MAX);
        let whole =
            |shape: Vec<usize>, number: i32| Tensor::new(ElementType::I32, shape, number.to_le_bytes().to_vec().into());
        let tensors = || {
            let ids = Tensor::of_i64(vec![1, ids.len()], &ids)?;
            Ok::<_, timeloom_inference::TensorError>([
                ("input_ids", ids),
                ("seqlens_k", whole(vec![1], total - 1)?),
                ("total_len", whole(Vec::new(), total)?),
            ])
        };
        let fresh = tensors().map_err(|error| fault(error.to_string()))?;
        match self.steps.step(&fresh, stop) {
            Ok(given) => {
                let likely = given.first().and_then(Tensor::as_f32).filter(|likely| !likely.is_empty());
                likely.map(Some).ok_or_else(|| fault("the model gave no numbers for what comes next"))
            }
            Err(RunError::Stopped) => Ok(None),
            Err(error) => Err(fault(error.to_string())),
        }
    }
}
