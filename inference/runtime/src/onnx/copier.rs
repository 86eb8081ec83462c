//! Copies between the CPU's memory and a GPU's, by CUDA's own library: the binding copies through sessions of its own, which
//! is slow, or to new places, which recordings cannot have.
#![expect(unsafe_code, reason = "functions of CUDA's library are called; each call says why it holds")]

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use bytes::Bytes;
use libloading::Library;
use ort::value::DynTensor;

use super::bound::Error;
use super::error::{GpuError, LoadError};
use super::model::rejected;
use super::runtime::why;
use crate::instance::RunError;

/// CUDA's own library that copies.
const CUDART: &str = "libcudart.so.13";
/// Bytes that are copied while the next are gathered.
const CHUNK_BYTES: usize = 2 << 20;
const TO_DEVICE: c_int = 1;
const TO_HOST: c_int = 2;
/// A stream that does not wait for the one that all programs share.
const APART: c_uint = 1;

/// Copies between the CPU's memory and a GPU's, on a stream of its own.
pub(super) struct Copier {
    device: c_int,
    /// The functions below are its.
    _library: Library,
    set_device: unsafe extern "C" fn(device: c_int) -> c_int,
    copy: unsafe extern "C" fn(
        to: *mut c_void,
        from: *const c_void,
        bytes: usize,
        kind: c_int,
        stream: *mut c_void,
    ) -> c_int,
    wait: unsafe extern "C" fn(stream: *mut c_void) -> c_int,
    close: unsafe extern "C" fn(stream: *mut c_void) -> c_int,
    stream: AtomicPtr<c_void>,
}

impl Copier {
    /// Opens CUDA's library, which the provider has loaded already.
    pub(super) fn open(device: u32) -> Result<Self, LoadError> {
        type Create = unsafe extern "C" fn(stream: *mut *mut c_void, flags: c_uint) -> c_int;
        let no = |error: libloading::Error| LoadError::from(GpuError::NoCuda(why(&error)));
        // SAFETY: the system's linker gives the library that the provider was linked with, whose initialisers have run.
        let library = unsafe { Library::new(CUDART) }.map_err(no)?;
        // SAFETY: the functions have these types in every CUDA of this major version.
        let (create, made) = unsafe {
            let create = *library.get::<Create>(b"cudaStreamCreateWithFlags\0").map_err(no)?;
            let made = Self {
                device: c_int::try_from(device).unwrap_or(c_int::MAX),
                set_device: *library.get(b"cudaSetDevice\0").map_err(no)?,
                copy: *library.get(b"cudaMemcpyAsync\0").map_err(no)?,
                wait: *library.get(b"cudaStreamSynchronize\0").map_err(no)?,
                close: *library.get(b"cudaStreamDestroy\0").map_err(no)?,
                stream: AtomicPtr::default(),
                _library: library,
            };
            (create, made)
        };
        let refused = |error: Error| match error {
            Error::Runtime(error) => rejected(error),
            Error::Refused(error) => LoadError::Gpu(GpuError::Refused(error.to_string())),
        };
        made.here().map_err(refused)?;
        let mut stream = std::ptr::null_mut();
        // SAFETY: the place to write to is ours.
        check_status(unsafe { create(&mut stream, APART) }, "make a stream").map_err(refused)?;
        made.stream.store(stream, Ordering::Relaxed);
        Ok(made)
    }

    fn stream(&self) -> *mut c_void {
        self.stream.load(Ordering::Relaxed)
    }

    /// Lays `parts` after each other into `place`, zeros after them, and copies that to `target`. While a piece is copied
    /// the next is laid.
    pub(super) fn send(&self, parts: &[&Bytes], place: &mut [u8], target: &mut DynTensor) -> Result<(), Error> {
        let begun = self.begin(parts, place, target);
        if begun.is_err() {
            // Whoever called does not wait any more, and a piece may still be read.
            let _ = self.wait();
        }
        begun
    }

    fn begin(&self, parts: &[&Bytes], place: &mut [u8], target: &mut DynTensor) -> Result<(), Error> {
        self.here()?;
        let bytes = place.len();
        if target.size() != Some(bytes) {
            return Err(unreachable_memory());
        }
        let start = target.data_ptr_mut().cast::<u8>();
        let (mut laid, mut copied) = (0, 0);
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                let length = rest.len().min(CHUNK_BYTES);
                let (piece, after) = rest.split_at(length);
                let room = place.get_mut(laid..laid + length).ok_or_else(unreachable_memory)?;
                room.copy_from_slice(piece);
                (laid, rest) = (laid + length, after);
                if laid - copied >= CHUNK_BYTES {
                    self.push(start, &place[copied..laid], copied)?;
                    copied = laid;
                }
            }
        }
        place[laid..].fill(0);
        self.push(start, &place[copied..], copied)
    }

    /// Begins to copy `piece` to `offset` behind `start`, which has room for it.
    fn push(&self, start: *mut u8, piece: &[u8], offset: usize) -> Result<(), Error> {
        if piece.is_empty() {
            return Ok(());
        }
        // SAFETY: `start` is a tensor's memory on the device, of the length of the place that `piece` is a part of, at
        // `offset`: `begin` saw to both. The place outlives the copy, since callers wait before they touch it again, and
        // `send` does where it fails.
        let status = unsafe {
            (self.copy)(start.add(offset).cast(), piece.as_ptr().cast(), piece.len(), TO_DEVICE, self.stream())
        };
        check_status(status, "copy to the GPU")
    }

    /// Begins to copy `source` to `place`.
    pub(super) fn fetch(&self, source: &DynTensor, place: &mut [u8]) -> Result<(), Error> {
        self.here()?;
        if source.size() != Some(place.len()) {
            return Err(unreachable_memory());
        }
        // SAFETY: both have that length; the place outlives the copy, since callers wait before they read it.
        let status = unsafe {
            (self.copy)(place.as_mut_ptr().cast(), source.data_ptr().cast(), place.len(), TO_HOST, self.stream())
        };
        check_status(status, "copy from the GPU")
    }

    /// Waits for what was begun.
    pub(super) fn wait(&self) -> Result<(), Error> {
        // SAFETY: the stream is ours and open.
        check_status(unsafe { (self.wait)(self.stream()) }, "wait for the GPU")
    }

    /// Makes the device that of this thread.
    fn here(&self) -> Result<(), Error> {
        // SAFETY: it takes a number and checks it.
        check_status(unsafe { (self.set_device)(self.device) }, "choose the GPU")
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        let stream = self.stream();
        if !stream.is_null() {
            // What is under way still reads or writes memory of others; one that cannot be waited for is broken anyhow.
            let _ = self.wait();
            // SAFETY: the stream is ours, and nobody uses it after this.
            unsafe { (self.close)(stream) };
        }
    }
}

fn check_status(status: c_int, what: &str) -> Result<(), Error> {
    if status == 0 {
        return Ok(());
    }
    Err(RunError::Failed(format!("CUDA could not {what}: it gave the number {status}")).into())
}

/// Memory that ought to be reachable is not.
pub(super) fn unreachable_memory() -> Error {
    Error::Refused(RunError::Failed("memory for copies cannot be reached by the CPU".to_owned()))
}
