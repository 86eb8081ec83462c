//! What one process of a log does at a time, by names: whoever claimed a name has it until it is given back, or its process
//! ends.

use async_trait::async_trait;

use crate::log::LogError;

/// Names that the processes of a log claim.
#[async_trait]
pub trait Claims: Send + Sync + 'static {
    /// Claims a name; `None` when another process has it.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn claim(&self, name: &str) -> Result<Option<Box<dyn Claim>>, LogError>;
}

/// A name that this process has.
#[async_trait]
pub trait Claim: Send + Sync + 'static {
    /// Whether it still has it, as far as this process can know.
    fn holds(&self) -> bool;

    /// Gives it back. A process that cannot do so gives it back with its end.
    async fn give_back(self: Box<Self>);
}

/// Claims of a log that one process has: there is nobody else.
#[derive(Debug, Default, Clone, Copy)]
pub struct OneProcess;

#[async_trait]
impl Claims for OneProcess {
    async fn claim(&self, _name: &str) -> Result<Option<Box<dyn Claim>>, LogError> {
        Ok(Some(Box::new(Self)))
    }
}

#[async_trait]
impl Claim for OneProcess {
    fn holds(&self) -> bool {
        true
    }

    async fn give_back(self: Box<Self>) {}
}
