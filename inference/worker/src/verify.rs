//! Computes recorded inferences again and compares: from the recorded bytes of the inputs, with the file of the recorded
//! digest, as the recorded load says.
//!
//! On the CPU, with the same runtime on a machine that can do the same, the answer must be the same to the last bit. Where
//! the fingerprint is another one, numbers must be near. Nothing is written down here.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_domain::ids::InferenceId;
use timeloom_domain::inference::{
    Fingerprint, InferenceAnswer, InferenceRequest, ModelLoad, Provider, apart, digest_of_all,
};
use timeloom_domain::model::ExternalFile;
use timeloom_inference::onnx::{Model, Options, Runtime, Session};
use timeloom_inference::{Inputs, Instance as _, Stop, Tensor};
use timeloom_store::BlobStore;

use crate::loads::ModelFiles;
use crate::machine::Machine;
use crate::tensors::{NotRead, read};

/// How far numbers may be apart, relative to the larger one or 1, where the same bits are not to be expected.
pub const NEAR: f64 = 1e-5;

/// Most sessions that are kept for the next inference.
const SESSIONS_MAX: usize = 4;

/// What came of computing an inference again.
#[derive(Debug, Clone, PartialEq)]
pub enum Verified {
    /// The same bits.
    Same,
    /// Not the same bits, but near; and nothing else could be expected, because this was computed in another way.
    Near {
        /// How far numbers are apart at most, relative to the larger one or 1.
        apart: f64,
        /// What differs between then and now.
        because: String,
    },
    /// Another answer.
    Different {
        /// The output.
        output: String,
        /// How far numbers are apart at most; absent where they are no numbers, or of another shape.
        apart: Option<f64>,
    },
}

/// Why an inference could not be computed again.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// There is no runtime.
    #[error("{0}")]
    NoRuntime(String),
    /// The model's file is not here.
    #[error("the file {0} of the model is not on this machine: upload it again")]
    NoFile(String),
    /// Inputs or outputs were not recorded, or are damaged.
    #[error(transparent)]
    NotRead(#[from] NotRead),
    /// It could not be computed.
    #[error("it could not be computed: {0}")]
    NotComputed(String),
}

/// Computes recorded inferences again.
#[derive(Clone)]
pub struct Verifier {
    runtime: Result<Runtime, String>,
    machine: Arc<Machine>,
    files: Arc<dyn ModelFiles>,
    blobs: Arc<dyn BlobStore>,
    sessions: Arc<Mutex<Vec<Kept>>>,
}

/// A session that was used, for the next inference of the same version; the latest last.
struct Kept {
    digest: String,
    threads: usize,
    session: Session,
}

/// An inference as the log has it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The inference.
    pub inference: InferenceId,
    /// What was asked.
    pub request: InferenceRequest,
    /// What was answered.
    pub answer: InferenceAnswer,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    /// Computes with this runtime what is in these files.
    pub fn new(runtime: Result<Runtime, String>, files: Arc<dyn ModelFiles>, blobs: Arc<dyn BlobStore>) -> Self {
        let (machine, _) = Machine::here(&runtime, Vec::new());
        Self { runtime, machine: Arc::new(machine), files, blobs, sessions: Arc::default() }
    }

    /// Computes an inference again, as `load` says it was computed, with these files of weights beside the model's.
    ///
    /// # Errors
    /// When it cannot be computed here, or was not recorded whole.
    pub async fn verify(
        &self,
        recorded: &Recorded,
        load: &ModelLoad,
        beside: &[ExternalFile],
    ) -> Result<Verified, NotVerified> {
        let Recorded { request, answer, .. } = recorded;
        let runtime = self.runtime.clone().map_err(NotVerified::NoRuntime)?;
        let path =
            self.files.path(&request.digest, beside).ok_or_else(|| NotVerified::NoFile(request.digest.clone()))?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for record in &request.inputs {
            inputs.push(read(record, &*self.blobs).await?);
        }
        for record in &answer.outputs {
            outputs.push((record.name.clone(), read(record, &*self.blobs).await?));
        }
        let options = Options { intra_threads: load.threads.max(1) as usize, ..Options::default() };
        let now = self.fingerprint(request, &options, &inputs).digest();
        let because = self.difference(load, &options);
        let (sessions, digest) = (Arc::clone(&self.sessions), request.digest.clone());
        let again =
            tokio::task::spawn_blocking(move || compute(&sessions, &runtime, (digest, &path), options, inputs)).await;
        let again = again.map_err(|error| NotVerified::NotComputed(error.to_string()))??;
        let may_differ = now != answer.fingerprint;
        let mut furthest = 0.0_f64;
        for ((name, then), now) in outputs.iter().zip(&again) {
            if then == now {
                continue;
            }
            let apart = apart(then, now);
            match apart {
                Some(apart) if may_differ && apart <= NEAR => furthest = furthest.max(apart),
                _ => return Ok(Verified::Different { output: name.clone(), apart }),
            }
        }
        Ok(if furthest > 0.0 { Verified::Near { apart: furthest, because } } else { Verified::Same })
    }

    fn fingerprint(&self, request: &InferenceRequest, options: &Options, inputs: &[Tensor]) -> Fingerprint {
        Fingerprint {
            model: request.digest.clone(),
            inputs: digest_of_all(inputs.iter().map(Tensor::digest)),
            options: options.canonical(),
            runtime: self.machine.runtime.clone(),
            provider: Provider::Cpu,
            machine: self.machine.of(Provider::Cpu),
            bucket: 0,
        }
    }

    /// What is otherwise now, in words.
    fn difference(&self, load: &ModelLoad, options: &Options) -> String {
        let here = self.machine.of(Provider::Cpu);
        if load.provider == Provider::Cuda {
            format!("a GPU computed it ({}), here the CPU does", load.machine)
        } else if load.machine != here {
            format!("the processor was '{}', here it is '{here}'", load.machine)
        } else if load.options != options.canonical() {
            format!("it was computed as '{}', here as '{}'", load.options, options.canonical())
        } else {
            format!("the runtime was another one than '{}'", self.machine.runtime)
        }
    }
}

fn compute(
    sessions: &Mutex<Vec<Kept>>,
    runtime: &Runtime,
    (digest, path): (String, &Path),
    options: Options,
    tensors: Vec<Tensor>,
) -> Result<Vec<Tensor>, NotVerified> {
    let failed = |error: &dyn std::fmt::Display| NotVerified::NotComputed(error.to_string());
    let threads = options.intra_threads;
    let kept = {
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let found = sessions.iter().position(|kept| kept.digest == digest && kept.threads == threads);
        found.map(|at| sessions.remove(at))
    };
    let mut kept = match kept {
        Some(kept) => kept,
        None => {
            let model = Model::open(runtime, path, options).map_err(|error| failed(&error))?;
            let session = model.session().map_err(|error| failed(&error))?;
            Kept { digest, threads, session }
        }
    };
    let inputs = Inputs::in_order(kept.session.signature(), tensors);
    let ran = kept.session.run(&[inputs], &Stop::default()).map_err(|error| failed(&error))?;
    let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    if sessions.len() >= SESSIONS_MAX {
        sessions.remove(0);
    }
    sessions.push(kept);
    ran.outputs.into_iter().next().ok_or_else(|| failed(&"nothing was computed"))
}
