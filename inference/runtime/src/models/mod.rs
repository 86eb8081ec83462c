//! Files of models, kept by the SHA-256 of their content, and uploads of them that survive a crash.
//!
//! A file gets its name only when all of it is on the disk and its digest is right, and never changes after that. All
//! functions block: call them where blocking is allowed. Nothing here reads a clock or makes an id. Invariant: a file at the
//! place of a digest has that digest, and what an upload acknowledged is there after any crash.

mod digest;
mod disk;
mod pending;
mod store;
mod upload;

pub use digest::{Digest, InvalidDigest};
pub use pending::Pending;
pub use store::{Kept, Store, StoreError};
pub use upload::{Begun, UploadError, UploadLimits, Uploads};
