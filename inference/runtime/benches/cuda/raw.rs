//! The binding used by hand: what [`super`] compares with.
#![expect(unsafe_code, reason = "CUDA's function that copies is called; each call says why it holds")]
#![expect(clippy::unwrap_used, reason = "a bench ends where it fails")]

use std::ffi::{c_int, c_void};
use std::path::Path;

use libloading::Library;
use ort::ep::{self, ArenaExtendStrategy};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::{DynTensor, TensorElementType};
use timeloom_domain::inference::{ElementType, Signature, TensorSpec};
use timeloom_inference::Inputs;
use timeloom_inference::onnx::Runtime;

type Copy = unsafe extern "C" fn(to: *mut c_void, from: *const c_void, bytes: usize, kind: c_int) -> c_int;

const TO_DEVICE: c_int = 1;
const TO_HOST: c_int = 2;

pub struct Raw {
    session: Session,
    inputs: Vec<DynTensor>,
    outputs: Vec<DynTensor>,
    binding: IoBinding,
    options: RunOptions,
    copy: Copy,
    _library: Library,
}

impl Raw {
    pub fn new(
        runtime: &Runtime,
        file: &Path,
        signature: &Signature,
        rows: usize,
        graphs: bool,
        channels_last: bool,
    ) -> Self {
        let provider = ep::CUDA::default()
            .with_tf32(true)
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .with_prefer_nhwc(channels_last)
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
            .with_cuda_graph(graphs);
        let session = Session::builder(runtime.environment())
            .and_then(|builder| Ok(builder.with_execution_providers([provider.build().error_on_failure()])?))
            .and_then(|mut builder| builder.commit_from_file(file))
            .unwrap();
        let info = MemoryInfo::new(AllocationDevice::CUDA, 0, AllocatorType::Device, MemoryType::Default).unwrap();
        let allocator = Allocator::new(&session, info).unwrap();
        let make = |spec: &TensorSpec| {
            let element = match spec.element {
                ElementType::I64 => TensorElementType::Int64,
                ElementType::F16 => TensorElementType::Float16,
                _ => TensorElementType::Float32,
            };
            let shape: Vec<i64> =
                spec.shape.iter().map(|length| length.map_or(rows, |length| length as usize) as i64).collect();
            DynTensor::new(&allocator, element, shape).unwrap()
        };
        let inputs: Vec<DynTensor> = signature.inputs.iter().map(make).collect();
        let mut outputs: Vec<DynTensor> = signature.outputs.iter().map(make).collect();
        let mut binding = session.create_binding().unwrap();
        for (spec, input) in signature.inputs.iter().zip(&inputs) {
            binding.bind_input(spec.name.as_str(), input).unwrap();
        }
        for (spec, output) in signature.outputs.iter().zip(&mut outputs) {
            binding.bind_output(spec.name.as_str(), output).unwrap();
        }
        // SAFETY: it is the library that the provider has loaded, and the function has that type in CUDA 13.
        let library = unsafe { Library::new("libcudart.so.13") }.unwrap();
        // SAFETY: as above; the library is kept beside the function.
        let copy = *unsafe { library.get::<Copy>(b"cudaMemcpy\0") }.unwrap();
        Self { session, inputs, outputs, binding, options: RunOptions::new().unwrap(), copy, _library: library }
    }

    pub fn run(&mut self, callers: &[Inputs]) -> Vec<Vec<u8>> {
        for (index, input) in self.inputs.iter_mut().enumerate() {
            let whole: Vec<u8> = callers.iter().fold(Vec::new(), |mut whole, inputs| {
                whole.extend_from_slice(inputs.tensors[index].data());
                whole
            });
            assert_eq!(input.size(), Some(whole.len()));
            // SAFETY: both have that length.
            let status =
                unsafe { (self.copy)(input.data_ptr_mut().cast(), whole.as_ptr().cast(), whole.len(), TO_DEVICE) };
            assert_eq!(status, 0);
        }
        self.compute();
        let fetch = |output: &DynTensor| {
            let mut place = vec![0_u8; output.size().unwrap()];
            // SAFETY: both have that length.
            let status =
                unsafe { (self.copy)(place.as_mut_ptr().cast(), output.data_ptr().cast(), place.len(), TO_HOST) };
            assert_eq!(status, 0);
            place
        };
        self.outputs.iter().map(fetch).collect()
    }

    pub fn compute(&mut self) {
        drop(self.session.run_binding_with_options(&self.binding, &self.options).unwrap());
    }
}
