//! Models computed by a GPU. Ignored where there is none: `scripts/gpu-check.sh` runs each in a process of its own.
//! Those of [`refusals`] are for a machine that has the library for CUDA and no driver.

#[path = "../support/mod.rs"]
mod support;

mod gpu;
mod refusals;
