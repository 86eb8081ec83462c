//! What a node run gave: in memory, or in the log, from where it is fetched when somebody asks for it.
//!
//! Which items an item was made from is in memory in any case: it is asked for every item, through every node. Nothing is
//! let go before the log has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_domain::item::{Item, Outputs, PairedItem};
use timeloom_store::{LogError, Revision, StreamKey};

/// Bytes of event text whose items an execution has in memory, besides those that wait at a node. An execution that gave
/// more has the rest fetched from the log when it is asked for.
pub const HELD_BYTES_MAX: usize = 4 << 20;

/// Where the log has what a node run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The stream.
    pub stream: StreamKey,
    /// Revision of the event in it.
    pub revision: Revision,
}

/// A node run that the log has now.
#[derive(Debug, Clone)]
pub struct Written {
    /// Name of the node.
    pub node: String,
    /// Which run of it.
    pub run_index: usize,
    /// Its place in the order of all node runs.
    pub execution_index: usize,
    /// Where the log has it.
    pub place: Place,
    /// Bytes of its event's text.
    pub bytes: usize,
}

/// Fetches what node runs gave from the log. It blocks.
pub trait Fetch: Send + Sync {
    /// What the event at `place` says that a node gave.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read, or has no such event there.
    fn fetch(&self, place: &Place) -> Result<Outputs, LogError>;
}

/// What a node run gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kept {
    Here(Outputs),
    InLog(Arc<Left>),
}

/// What stays of a node run whose items are in the log.
#[derive(Debug, PartialEq)]
pub(super) struct Left {
    place: Place,
    outputs: Vec<Pairs>,
}

/// For each item of an output, from what it was made.
#[derive(Debug, PartialEq)]
enum Pairs {
    /// So many, each from the item at its own place: what most nodes give.
    OneToOne(usize),
    Listed(Vec<Option<PairedItem>>),
}

impl Kept {
    /// How many items an output has; `None` when there is no such output.
    pub(super) fn count(&self, output: usize) -> Option<usize> {
        match self {
            Self::Here(outputs) => outputs.get(output).map(|items| items.len()),
            Self::InLog(left) => left.outputs.get(output).map(Pairs::count),
        }
    }

    /// From what an item was made; `None` when there is no such item.
    pub(super) fn paired(&self, output: usize, item: usize) -> Option<Option<PairedItem>> {
        match self {
            Self::Here(outputs) => Some(outputs.get(output)?.get(item)?.paired_item.clone()),
            Self::InLog(left) => left.outputs.get(output)?.get(item),
        }
    }

    /// Lets the items go that the log has at `place`.
    pub(super) fn leave(&mut self, place: Place) {
        if let Self::Here(outputs) = self {
            let outputs = outputs.iter().map(|items| Pairs::of(items)).collect();
            *self = Self::InLog(Arc::new(Left { place, outputs }));
        }
    }
}

impl Pairs {
    fn of(items: &[Item]) -> Self {
        let own_place = |(index, item): (usize, &Item)| item.paired_item == Some(PairedItem::index(index));
        if items.iter().enumerate().all(own_place) {
            Self::OneToOne(items.len())
        } else {
            Self::Listed(items.iter().map(|item| item.paired_item.clone()).collect())
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::OneToOne(count) => *count,
            Self::Listed(pairs) => pairs.len(),
        }
    }

    fn get(&self, item: usize) -> Option<Option<PairedItem>> {
        match self {
            Self::OneToOne(count) => (item < *count).then(|| Some(PairedItem::index(item))),
            Self::Listed(pairs) => pairs.get(item).cloned(),
        }
    }
}

/// What was fetched, until the node run that asked for it has ended: it asks again for each of its items.
#[derive(Clone, Default)]
pub(super) struct Fetched {
    from: Option<Arc<dyn Fetch>>,
    outputs: Arc<Mutex<HashMap<usize, Outputs>>>,
}

impl Fetched {
    pub(super) fn from(from: Arc<dyn Fetch>) -> Self {
        Self { from: Some(from), outputs: Arc::default() }
    }

    /// Whether anything can be fetched: else nothing may be let go.
    pub(super) fn can_fetch(&self) -> bool {
        self.from.is_some()
    }

    /// What the run at `execution_index` gave.
    pub(super) fn outputs(&self, execution_index: usize, kept: &Kept) -> Result<Outputs, LogError> {
        let left = match kept {
            Kept::Here(outputs) => return Ok(outputs.clone()),
            Kept::InLog(left) => left,
        };
        // The lock is held while it is fetched: nobody else is to fetch the same meanwhile.
        let mut fetched = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outputs) = fetched.get(&execution_index) {
            return Ok(outputs.clone());
        }
        let outputs = self.from.as_ref().ok_or(LogError::Closed)?.fetch(&left.place)?;
        fetched.insert(execution_index, outputs.clone());
        Ok(outputs)
    }

    pub(super) fn forget(&self) {
        *self.outputs.lock().unwrap_or_else(PoisonError::into_inner) = HashMap::new();
    }
}
