//! The VectorCollection aggregate: texts with the vectors that stand for them, in which what is near is searched.
//!
//! All of it is in its events: a fold gives the same collection, and a search of it the same answer. Invariant: the vectors of
//! a collection are of one length, and a collection is bounded.

mod event;
mod state;

pub use event::{VectorEvent, VectorRow};
pub use state::{
    COLLECTION_BYTES_MAX, DIMENSIONS_MAX, ROWS_MAX, VectorCollection, VectorCommand, VectorRefusal, cosine,
};
