//! What a node remembers from one execution to the next: the keys that it has seen, and the highest mark.
//!
//! A node run that is computed again after a crash must get the answers that it got first. So whoever remembers says who
//! he is, and what he himself remembered does not count as seen before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use timeloom_domain::ids::TenantId;

/// Whose memory it is: a node's, or that which all nodes of a workflow share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecallScope {
    /// Whose workflow it is.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow_id: String,
    /// The node's id; `None` for what the workflow's nodes share.
    pub node: Option<String>,
}

/// Where memories are kept.
#[async_trait]
pub trait RecallPort: fmt::Debug + Send + Sync {
    /// Remembers `keys`, and answers for each whether it is new: not remembered before by anybody but `by`. The oldest
    /// are forgotten where there are more than `keys_max`.
    ///
    /// # Errors
    /// [`RecallError`] when the memory cannot be reached.
    async fn remember(
        &self,
        scope: &RecallScope,
        keys: &[String],
        keys_max: usize,
        by: &str,
    ) -> Result<Vec<bool>, RecallError>;

    /// Raises the mark to `mark` where that is higher, and answers what it was before `by` came.
    ///
    /// # Errors
    /// [`RecallError`] when the memory cannot be reached.
    async fn raise(&self, scope: &RecallScope, mark: f64, by: &str) -> Result<Option<f64>, RecallError>;

    /// Forgets everything.
    ///
    /// # Errors
    /// [`RecallError`] when the memory cannot be reached.
    async fn forget(&self, scope: &RecallScope) -> Result<(), RecallError>;
}

/// The memory cannot be reached; the message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecallError(pub String);

/// Memories that last as long as the process: for tests.
#[derive(Debug, Default)]
pub struct TransientRecall {
    by_scope: Mutex<BTreeMap<RecallScope, Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Keys, oldest first, and who remembered them.
    keys: Vec<(String, String)>,
    /// The mark, who raised it last, and what it was before.
    mark: Option<(f64, String, Option<f64>)>,
}

#[async_trait]
impl RecallPort for TransientRecall {
    async fn remember(
        &self,
        scope: &RecallScope,
        keys: &[String],
        keys_max: usize,
        by: &str,
    ) -> Result<Vec<bool>, RecallError> {
        let mut by_scope = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = by_scope.entry(scope.clone()).or_default();
        let mut news = Vec::with_capacity(keys.len());
        for key in keys {
            let known = memory.keys.iter().find(|(known, _)| known == key);
            news.push(known.is_none_or(|(_, owner)| owner == by));
            if known.is_none() {
                memory.keys.push((key.clone(), by.to_owned()));
            }
        }
        let surplus = memory.keys.len().saturating_sub(keys_max);
        memory.keys.drain(..surplus);
        Ok(news)
    }

    async fn raise(&self, scope: &RecallScope, mark: f64, by: &str) -> Result<Option<f64>, RecallError> {
        let mut by_scope = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = by_scope.entry(scope.clone()).or_default();
        let before = match &memory.mark {
            Some((_, owner, before)) if owner == by => *before,
            Some((current, ..)) => Some(*current),
            None => None,
        };
        let raised = before.map_or(mark, |before| before.max(mark));
        memory.mark = Some((raised, by.to_owned(), before));
        Ok(before)
    }

    async fn forget(&self, scope: &RecallScope) -> Result<(), RecallError> {
        self.by_scope.lock().unwrap_or_else(PoisonError::into_inner).remove(scope);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn whoever_asks_again_gets_his_first_answer() {
        let (recall, keys) = (TransientRecall::default(), ["a".to_owned(), "b".to_owned()]);
        let scope = RecallScope { tenant: TenantId(0), workflow_id: "w".to_owned(), node: None };
        let remember = |by: &str| block_on(recall.remember(&scope, &keys, 10, by)).unwrap();
        assert_eq!(remember("run 1"), [true, true]);
        assert_eq!(remember("run 1"), [true, true], "the same run after a crash");
        assert_eq!(remember("run 2"), [false, false]);
        let raise = |mark: f64, by: &str| block_on(recall.raise(&scope, mark, by)).unwrap();
        assert_eq!((raise(5.0, "run 1"), raise(5.0, "run 1"), raise(3.0, "run 2")), (None, None, Some(5.0)));
        assert_eq!(raise(9.0, "run 3"), Some(5.0), "a lower mark raised nothing");
        block_on(recall.forget(&scope)).unwrap();
        assert_eq!(remember("run 3"), [true, true]);
    }

    #[test]
    fn the_oldest_keys_are_forgotten() {
        let recall = TransientRecall::default();
        let scope = RecallScope { tenant: TenantId(0), workflow_id: "w".to_owned(), node: Some("n".to_owned()) };
        let remember = |key: &str, by: &str| block_on(recall.remember(&scope, &[key.to_owned()], 2, by)).unwrap();
        for (key, by, new) in
            [("a", "1", true), ("b", "2", true), ("c", "3", true), ("b", "4", false), ("a", "5", true)]
        {
            assert_eq!(remember(key, by), [new], "{key}");
        }
    }
}
