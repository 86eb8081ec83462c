//! Files of models from outside: read with limits, then loaded on trial in a process of their own.
//!
//! What reads here allocates nothing by what a file claims, follows nothing, and runs nothing. What the reader lets through
//! is given to the runtime in a child process only, see [`trial`]: a file that brings the runtime down brings down the
//! child. Invariant: a file that passes names no operator that would have to be brought, and no weights outside its folder.

pub mod external;
mod limits;
pub mod read;
pub(crate) mod slot;
pub mod trial;
pub(crate) mod wire;

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

pub use limits::{Limits, Rejection};
pub use read::{External, Model};
pub use trial::{Program, TrialLimits, child_main, in_child};

/// Reads the file of a model that may be anything, and what it says of weights beside it.
///
/// # Errors
/// When it cannot be read, or does not pass: in words for whoever sent it.
pub fn check(path: &Path, limits: &Limits) -> io::Result<Result<Model, Rejection>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    if length == 0 || length > limits.bytes_max {
        return Ok(Err(Rejection::Size { found: length, most: limits.bytes_max }));
    }
    let bytes = map(&file)?;
    Ok(read::model(&bytes, limits).and_then(|model| {
        let folder = path.parent().unwrap_or(Path::new("."));
        for weights in &model.external {
            external::inside(folder, weights)?;
        }
        Ok(model)
    }))
}

#[expect(unsafe_code, reason = "a file is mapped")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: files that are checked lie in the store's own folder, where nobody writes to them any more.
    unsafe { Mmap::map(file) }
}
