//! Puts marks in place of secrets in what a node gives, before anything of it becomes an event.
//!
//! Never knows which node it was. Invariant: every text that a node can give is looked at here; content in blobs was
//! looked at when it was written.

use timeloom_commands::Finder;
use timeloom_domain::execution::{Response, ResponseBody};
use timeloom_domain::item::Item;

use crate::node::{NodeError, NodeOutput, NodeResponse, NodeWait, hide_in_attachment};

/// What may have secrets in it.
pub(crate) trait Hide {
    /// Puts marks in their place.
    fn hide(&mut self, finder: &Finder);
}

impl<T: Hide> Hide for Option<T> {
    fn hide(&mut self, finder: &Finder) {
        if let Some(inner) = self {
            inner.hide(finder);
        }
    }
}

impl Hide for NodeOutput {
    fn hide(&mut self, finder: &Finder) {
        self.outputs.iter_mut().flatten().for_each(|item| item.hide(finder));
        self.hints.iter_mut().for_each(|hint| finder.hide_in_text(hint));
        self.saved.values_mut().for_each(|fact| finder.hide_in_text(fact));
        self.response.hide(finder);
    }
}

impl Hide for Item {
    fn hide(&mut self, finder: &Finder) {
        finder.hide_in_item(self);
        let attachments = self.binary.iter_mut().flatten();
        attachments.for_each(|(_, attachment)| hide_in_attachment(finder, attachment));
    }
}

impl Hide for NodeResponse {
    fn hide(&mut self, finder: &Finder) {
        let Response { headers, body, .. } = &mut self.response;
        headers.iter_mut().for_each(|(_, value)| finder.hide_in_text(value));
        match body {
            ResponseBody::Json { value } => finder.hide_in_value(value),
            ResponseBody::Text { text } => finder.hide_in_text(text),
            ResponseBody::Binary { binary } => hide_in_attachment(finder, binary),
            // Pages are made of parameters, and no node that makes one is given a credential.
            ResponseBody::Empty | ResponseBody::Page { .. } => {}
        }
    }
}

/// For what a node waits are times and addresses of our own.
impl Hide for NodeWait {
    fn hide(&mut self, _finder: &Finder) {}
}

impl Hide for NodeError {
    fn hide(&mut self, finder: &Finder) {
        finder.hide_in_text(&mut self.message);
        if let Some(description) = &mut self.description {
            finder.hide_in_text(description);
        }
        if let Some(data) = &mut self.data {
            finder.hide_in_value(data);
        }
    }
}
