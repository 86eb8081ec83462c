//! No keys of subjects: for deployments that cannot keep them. What is about a subject is refused there, and never written in
//! the clear.

use async_trait::async_trait;
use timeloom_domain::ids::TenantId;

use super::{FoundKey, KeyId, SubjectKey, SubjectKeyError, SubjectKeys};

/// [`SubjectKeys`] where there are none, for this reason.
#[derive(Debug, Clone, Copy)]
pub struct NoSubjectKeys(pub &'static str);

#[async_trait]
impl SubjectKeys for NoSubjectKeys {
    async fn of_subject(&self, _: TenantId, _: &str) -> Result<SubjectKey, SubjectKeyError> {
        Err(SubjectKeyError::Unavailable(self.0))
    }

    async fn find(&self, _: TenantId, _: &str) -> Result<Vec<KeyId>, SubjectKeyError> {
        Err(SubjectKeyError::Unavailable(self.0))
    }

    async fn open(&self, _: KeyId) -> Result<FoundKey, SubjectKeyError> {
        Ok(FoundKey::Lost)
    }

    async fn destroy(&self, _: &[KeyId]) -> Result<(), SubjectKeyError> {
        Ok(())
    }

    fn hold_back(&self, _: &[KeyId], _: bool) {}

    async fn backup(&self) -> Result<String, SubjectKeyError> {
        Err(SubjectKeyError::Unavailable(self.0))
    }

    async fn restore(&self, _: &str) -> Result<u64, SubjectKeyError> {
        Err(SubjectKeyError::Unavailable(self.0))
    }
}
