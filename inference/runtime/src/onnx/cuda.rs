//! CUDA: whether it can be had, and batches whose places are on the GPU.
//!
//! Each bucket has its places for good: inputs are written to memory that the GPU can fetch by itself, copied, computed,
//! and copied back. Since places and shapes never change, the runtime may record a bucket's launches and play them back.
//! No recording is used that did not give, when it was made, what launches one by one give.
#![expect(unsafe_code, reason = "functions of CUDA's own libraries are called; each call says why it holds")]

use std::ffi::c_int;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use libloading::Library;
use ort::ep::{self, ArenaExtendStrategy, ExecutionProvider};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::SessionBuilder;
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::DynTensor;
use timeloom_domain::inference::Tensor;
use timeloom_domain::inference::{Signature, TensorSpec};

use super::bound::Error;
use super::copier::{Copier, unreachable_memory};
use super::error::{GpuError, LoadError};
use super::model::rejected;
use super::options::Options;
use super::runtime::why;
use super::session::is_out_of_memory;
use super::{batch, placement, proof, value, views};
use crate::instance::{Inputs, RunError};

/// What lies beside a library that can use CUDA.
const PROVIDER_FILES: [&str; 2] = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];
/// The driver.
const DRIVER: &str = "libcuda.so.1";
/// What the driver answers when there is no GPU.
const NO_DEVICE: c_int = 100;
/// The setting of a run that says which recording it plays.
const GRAPH: &str = "gpu_graph_id";
/// Its value for a run that neither records nor plays.
const NO_GRAPH: &str = "-1";

/// Held alone while launches are recorded: what another thread asks of the GPU meanwhile would spoil the recording.
static RECORDING: RwLock<()> = RwLock::new(());

/// Held while a GPU computes.
pub(super) fn computing() -> RwLockReadGuard<'static, ()> {
    RECORDING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `library` can use the GPU of that number.
///
/// # Errors
/// The first thing that is missing, each told apart.
pub(super) fn check(library: &Path, device: u32) -> Result<(), GpuError> {
    let has_provider = ep::CUDA::is_available().unwrap_or(false);
    if !has_provider {
        return Err(GpuError::NoProvider(library.to_path_buf()));
    }
    let beside = |name: &&str| library.with_file_name(*name);
    if let Some(missing) = PROVIDER_FILES.iter().map(beside).find(|file| !file.is_file()) {
        return Err(GpuError::NoProviderFile(missing));
    }
    let found = count()?;
    if device < found { Ok(()) } else { Err(GpuError::NoDevice { wanted: device, found }) }
}

/// How many GPUs the driver shows.
fn count() -> Result<u32, GpuError> {
    type Init = unsafe extern "C" fn(flags: u32) -> c_int;
    type Count = unsafe extern "C" fn(count: *mut c_int) -> c_int;
    let no = |error: libloading::Error| GpuError::NoDriver(why(&error));
    // SAFETY: the system's linker finds it where the driver put it; loading it runs the driver's own initialisers.
    let driver = unsafe { Library::new(DRIVER) }.map_err(no)?;
    // SAFETY: the driver's interface has these two functions with these types since CUDA 2.
    let (init, count) = unsafe { (driver.get::<Init>(b"cuInit\0"), driver.get::<Count>(b"cuDeviceGetCount\0")) };
    let (init, count) = (init.map_err(no)?, count.map_err(no)?);
    // SAFETY: flags must be 0, and are.
    let status = unsafe { init(0) };
    if status == NO_DEVICE {
        return Ok(0);
    }
    if status != 0 {
        return Err(GpuError::NoDriver(format!("it did not start and gave the number {status}")));
    }
    let mut found = 0;
    // SAFETY: the place to write to is ours.
    let status = unsafe { count(&mut found) };
    if status != 0 {
        return Err(GpuError::NoDriver(format!("it did not count its GPUs and gave the number {status}")));
    }
    // The driver stays loaded: unloading what has started is undefined.
    std::mem::forget(driver);
    Ok(u32::try_from(found).unwrap_or(0))
}

/// Adds the provider to a session that is being built.
///
/// # Errors
/// When the provider does not start: never is the CPU taken in its place.
pub(super) fn register(builder: SessionBuilder, options: &Options, graphs: bool) -> Result<SessionBuilder, LoadError> {
    let mut provider = ep::CUDA::default()
        .with_device_id(i32::try_from(options.device).unwrap_or(i32::MAX))
        .with_tf32(options.tf32)
        .with_prefer_nhwc(options.channels_last)
        // A search by timing may choose another way each time, and so other last bits.
        .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
        // Doubling would ask for twice what a large model needs.
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        .with_cuda_graph(graphs);
    if let Some(bytes) = options.gpu_bytes_max {
        provider = provider.with_memory_limit(bytes);
    }
    builder.with_execution_providers([provider.build().error_on_failure()]).map_err(|error| refused(error.message()))
}

/// What it means that the provider did not start.
fn refused(detail: &str) -> LoadError {
    if is_out_of_memory(detail) {
        LoadError::OutOfMemory(detail.to_owned())
    } else if detail.contains("cannot open shared object file") || detail.contains("undefined symbol") {
        GpuError::NoCuda(detail.to_owned()).into()
    } else {
        GpuError::Refused(detail.to_owned()).into()
    }
}

/// The places of a session's buckets.
pub(super) struct Buckets {
    copier: Copier,
    /// By rows, rising.
    buckets: Vec<Bucket>,
}

struct Bucket {
    rows: usize,
    /// What is sent, in memory of the CPU's.
    sent: Vec<DynTensor>,
    /// What is computed with; `None` where the CPU reads an input and `sent` is all there is.
    inputs: Vec<Option<DynTensor>>,
    outputs: Vec<DynTensor>,
    fetched: Vec<DynTensor>,
    binding: IoBinding,
    /// Of a bucket that is recorded: they name the recording. What is played back has no nodes to stop at, so it is not
    /// ended early.
    recorded: Option<RunOptions>,
}

impl Buckets {
    /// Makes the places of as many of `rows` as there is memory for, and runs each once: what is recorded is recorded now,
    /// and proven.
    ///
    /// # Errors
    /// When not even the smallest fits, the model does not run, or what is played back is not what it computes.
    pub(super) fn new(
        session: &mut Session,
        signature: &Signature,
        rows: &[usize],
        device: u32,
        graphs: bool,
        options: &RunOptions,
    ) -> Result<Self, LoadError> {
        let mut made = Self { copier: Copier::open(device)?, buckets: Vec::new() };
        let _alone = RECORDING.write().unwrap_or_else(PoisonError::into_inner);
        for rows in rows {
            let ready = Bucket::new(session, signature, *rows, device, graphs).and_then(|mut bucket| {
                bucket.warm(session, &made.copier, options)?;
                bucket.prove(session, signature, &made.copier)?;
                Ok(bucket)
            });
            match ready {
                Ok(bucket) => made.buckets.push(bucket),
                Err(Error::Runtime(error)) if is_out_of_memory(error.message()) && !made.buckets.is_empty() => break,
                Err(Error::Runtime(error)) => return Err(rejected(error)),
                Err(Error::Refused(error)) => return Err(LoadError::Rejected(error.to_string())),
            }
        }
        Ok(made)
    }

    /// The buckets that there was memory for.
    pub(super) fn rows(&self) -> Vec<usize> {
        self.buckets.iter().map(|bucket| bucket.rows).collect()
    }

    /// Computes `callers` in the bucket of `computed` rows, or the only one of a model that does not batch.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        signature: &Signature,
        callers: &[&Inputs],
        computed: usize,
        options: &RunOptions,
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        let missing = || RunError::Failed(format!("there is no bucket of {computed} rows"));
        let batches = signature.batches();
        let fits = |bucket: &&mut Bucket| !batches || bucket.rows == computed;
        let bucket = self.buckets.iter_mut().find(fits).ok_or_else(missing)?;
        bucket.run(session, signature, callers, &self.copier, options)
    }
}

impl Bucket {
    fn new(session: &Session, signature: &Signature, rows: usize, device: u32, graphs: bool) -> Result<Self, Error> {
        let number = c_int::try_from(device).unwrap_or(c_int::MAX);
        let info = MemoryInfo::new(AllocationDevice::CUDA, number, AllocatorType::Device, MemoryType::Default)?;
        let on_device = Allocator::new(session, info)?;
        let info =
            MemoryInfo::new(AllocationDevice::CUDA_PINNED, number, AllocatorType::Device, MemoryType::CPUOutput)?;
        // Memory that the GPU cannot fetch by itself is slower and as right.
        let pinned = Allocator::new(session, info).unwrap_or_default();
        let plain = Allocator::default();
        let make = |allocator: &Allocator, specs: &[TensorSpec]| {
            let batches = signature.batches();
            let zeros = |spec: &TensorSpec| {
                let shape = batch::fixed(spec, rows, batches).unwrap_or_default();
                value::zeros(allocator, spec.element, &shape)
            };
            specs.iter().map(zeros).collect::<ort::Result<Vec<_>>>()
        };
        let (mut sent, mut inputs) = (Vec::new(), Vec::new());
        for (spec, read) in signature.inputs.iter().zip(placement::read_by_cpu(session)?) {
            // What is bound must lie where it is read: elsewhere the runtime copies it when it is bound and sees no change
            // later. What the CPU reads is bound anew each time, in case it copies that too.
            let spec = std::slice::from_ref(spec);
            sent.append(&mut make(if read { &plain } else { &pinned }, spec)?);
            inputs.push(if read { None } else { make(&on_device, spec)?.pop() });
        }
        let (fetched, mut outputs) = (make(&pinned, &signature.outputs)?, make(&on_device, &signature.outputs)?);
        let mut binding = session.create_binding()?;
        for ((spec, sent), input) in signature.inputs.iter().zip(&sent).zip(&inputs) {
            binding.bind_input(spec.name.as_str(), input.as_ref().unwrap_or(sent))?;
        }
        for (spec, output) in signature.outputs.iter().zip(&mut outputs) {
            binding.bind_output(spec.name.as_str(), output)?;
        }
        let mut recorded = None;
        if graphs {
            if inputs.iter().any(Option::is_none) {
                return Err(RunError::Failed("launches cannot be recorded: the CPU reads an input".to_owned()).into());
            }
            let mut options = RunOptions::new()?;
            options.set(GRAPH, rows.to_string())?;
            recorded = Some(options);
        }
        Ok(Self { rows, sent, inputs, outputs, fetched, binding, recorded })
    }

    /// Computes zeros.
    fn warm(&mut self, session: &mut Session, copier: &Copier, options: &RunOptions) -> Result<(), Error> {
        for (sent, input) in self.sent.iter_mut().zip(&mut self.inputs) {
            if let Some(input) = input {
                copier.send(&[], views::bytes_mut(sent).ok_or_else(unreachable_memory)?, input)?;
            }
        }
        copier.wait()?;
        self.compute(session, options)
    }

    /// Plays the recording back with other numbers than it was made with, computes the same without it, and compares.
    fn prove(&mut self, session: &mut Session, signature: &Signature, copier: &Copier) -> Result<(), Error> {
        let Some(recorded) = self.recorded.take() else { return Ok(()) };
        let mut single = RunOptions::new()?;
        single.set(GRAPH, NO_GRAPH)?;
        let played = self.attempt(session, signature, copier, &recorded)?;
        let computed = self.attempt(session, signature, copier, &single)?;
        for ((spec, played), computed) in signature.outputs.iter().zip(&played).zip(&computed) {
            if !proof::same(spec.element, played, computed) {
                let detail =
                    format!("launches that are played back give another '{}' for {} rows", spec.name, self.rows);
                return Err(RunError::Failed(detail).into());
            }
        }
        self.recorded = Some(recorded);
        Ok(())
    }

    /// What is computed of numbers to try a recording with.
    fn attempt(
        &mut self,
        session: &mut Session,
        signature: &Signature,
        copier: &Copier,
        options: &RunOptions,
    ) -> Result<Vec<Bytes>, Error> {
        for ((spec, sent), input) in signature.inputs.iter().zip(&mut self.sent).zip(&mut self.inputs) {
            if let Some(input) = input {
                let place = views::bytes_mut(sent).ok_or_else(unreachable_memory)?;
                copier.send(&[&proof::sample(spec.element, place.len())], place, input)?;
            }
        }
        for (output, fetched) in self.outputs.iter_mut().zip(&mut self.fetched) {
            let place = views::bytes_mut(fetched).ok_or_else(unreachable_memory)?;
            copier.send(&[&proof::marks(place.len())], place, output)?;
        }
        copier.wait()?;
        drop(session.run_binding_with_options(&self.binding, options)?);
        self.fetch(copier)?;
        let answer = |fetched: &DynTensor| views::bytes(fetched).map(Bytes::copy_from_slice);
        self.fetched.iter().map(|fetched| answer(fetched).ok_or_else(unreachable_memory)).collect()
    }

    /// Brings the outputs to where the CPU reads them.
    fn fetch(&mut self, copier: &Copier) -> Result<(), Error> {
        for (output, fetched) in self.outputs.iter().zip(&mut self.fetched) {
            copier.fetch(output, views::bytes_mut(fetched).ok_or_else(unreachable_memory)?)?;
        }
        copier.wait()
    }

    fn compute(&self, session: &mut Session, options: &RunOptions) -> Result<(), Error> {
        let options = self.recorded.as_ref().unwrap_or(options);
        drop(session.run_binding_with_options(&self.binding, options)?);
        Ok(())
    }

    fn run(
        &mut self,
        session: &mut Session,
        signature: &Signature,
        callers: &[&Inputs],
        copier: &Copier,
        options: &RunOptions,
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        for (index, (sent, input)) in self.sent.iter_mut().zip(&mut self.inputs).enumerate() {
            let parts: Vec<&Bytes> = callers.iter().map(|inputs| inputs.tensors[index].data()).collect();
            let place = views::bytes_mut(sent).ok_or_else(unreachable_memory)?;
            if let Some(input) = input {
                copier.send(&parts, place, input)?;
            } else {
                batch::gather(&parts, place)?;
                self.binding.bind_input(signature.inputs[index].name.as_str(), &*sent)?;
            }
        }
        copier.wait()?;
        self.compute(session, options)?;
        self.fetch(copier)?;
        let batches = signature.batches();
        let rows: Vec<usize> = callers.iter().map(|inputs| inputs.rows).collect();
        let mut given: Vec<Vec<Tensor>> = callers.iter().map(|_| Vec::with_capacity(self.outputs.len())).collect();
        for (spec, fetched) in signature.outputs.iter().zip(&self.fetched) {
            let data = views::bytes(fetched).ok_or_else(unreachable_memory)?;
            let shape = batch::fixed(spec, self.rows, batches).unwrap_or_default();
            batch::hand_out(spec.element, &shape, data, &rows, batches.then_some(self.rows), &mut given)?;
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_driver_there_is_a_typed_no() {
        match count() {
            Err(GpuError::NoDriver(detail)) => assert!(detail.contains("libcuda"), "{detail}"),
            // Where there is one, the other tests of CUDA have more to say.
            found => assert!(found.is_ok(), "{found:?}"),
        }
    }

    #[test]
    fn what_the_provider_says_tells_missing_libraries_from_other_trouble() {
        let missing = "Failed to load library x with error: libcublasLt.so.13: cannot open shared object file";
        assert!(matches!(refused(missing), LoadError::Gpu(GpuError::NoCuda(_))));
        assert!(matches!(refused("CUDA failure 2: out of memory"), LoadError::OutOfMemory(_)));
        assert!(matches!(refused("CUDA failure 999: unknown error"), LoadError::Gpu(GpuError::Refused(_))));
    }
}
