//! Nodes that ask models of the model manager: any model by its tensors, tables, pictures, files.
//!
//! What a model needs besides its file (labels, sizes, how pictures are normalised) comes from the node's parameters, or from
//! what the file says of itself. Every answer tells which inference it is, so that it is found in the record.

mod asking;
mod file_type;
mod generic;
mod json;
mod pictures;
mod table;
mod tensors;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use asking::{Gathered, short};
pub(crate) use file_type::FileType;
pub(crate) use generic::Model;
pub use json::{JsonInputs, inputs_of_json, json_of_outputs};
pub(crate) use pictures::{ImageClassification, ObjectDetection, Ocr};
pub(crate) use table::TabularPrediction;
