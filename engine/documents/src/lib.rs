//! Documents that others wrote and that may mean harm: what is in them is read by a process of its own, with limits of memory and
//! time, which answers and ends. A crash, a hang or a greed for memory there is a refusal here.
//!
//! The program that holds this crate is started again for it: with a verb that calls [`child_main`].

mod child;
mod pdf;

pub use child::{DocumentReader, Limits, Program, child_main};
