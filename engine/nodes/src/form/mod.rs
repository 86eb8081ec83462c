//! Form Trigger and Form: pages that a person fills in, at the beginning of an execution and in its middle.
//!
//! The pages themselves are drawn by whoever serves them. A node only says what they ask: the trigger in its parameters,
//! which are read before the workflow begins, a further page in the event of its wait.

mod fields;
mod page;
pub(crate) mod parameters;
mod trigger;

pub(crate) use fields::{asked, ending_of};
pub(crate) use page::Form;
pub(crate) use trigger::FormTrigger;
