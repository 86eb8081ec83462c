//! The doors at which models are asked over HTTP, in words that stock clients speak. They translate and nothing else: what
//! is computed, and who may ask for it, is decided behind the ports [`v2::Serving`] and [`v1::Speaking`].

pub mod uploads;
pub mod v1;
pub mod v2;
