//! Folded states of streams that many commands read. A cached state is only ever a starting point: what came after it
//! is read from the log each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use timeloom_store::StreamKey;

use crate::bridge::StreamState;

/// A bounded cache of folded states.
pub(crate) struct StateCache<A> {
    states: Mutex<HashMap<StreamKey, StreamState<A>>>,
    states_max: usize,
}

impl<A: Clone + Default> StateCache<A> {
    /// A cache of at most `states_max` states.
    pub(crate) fn new(states_max: usize) -> Self {
        Self { states: Mutex::new(HashMap::new()), states_max }
    }

    /// The state as it was last seen; the empty state when it was not.
    pub(crate) fn get(&self, stream: &StreamKey) -> StreamState<A> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(stream).cloned().unwrap_or_default()
    }

    /// Remembers a state, unless a newer one is there.
    pub(crate) fn put(&self, stream: &StreamKey, state: &StreamState<A>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if states.len() >= self.states_max && !states.contains_key(stream) {
            states.clear();
        }
        match states.get_mut(stream) {
            Some(known) if known.revision >= state.revision => {}
            _ => {
                states.insert(stream.clone(), state.clone());
            }
        }
    }
}
