//! A tree that nobody lets follow its log: brought up to it once, for exports out of a folder at rest.

use timeloom_store::Position;
use timeloom_store::proofs::{Edge, ProofLog, ProofsError};

use super::keys::AuditKeys;

/// Lets the tree reach `head` and signs a checkpoint of it, where a key may. `progress` is told how far it is.
///
/// # Errors
/// When the log is not the one of which checkpoints were made, or the storage fails.
pub async fn bring_up_to_date(
    proofs: &ProofLog,
    keys: &AuditKeys,
    head: Position,
    mut progress: impl FnMut(u64, u64) + Send,
) -> anyhow::Result<()> {
    make_whole(proofs).await?;
    look_everywhere(proofs).await?;
    loop {
        let folded = proofs.fold(head).await?;
        progress(folded.size, head.0);
        if !folded.has_more {
            break;
        }
    }
    let keys = keys.read_or_make(proofs.log_id().await?)?;
    proofs.make_checkpoint(&keys).await?;
    Ok(())
}

/// Begins the tree again where it is damaged.
///
/// # Errors
/// When history was changed, or the storage fails.
pub(super) async fn make_whole(proofs: &ProofLog) -> Result<(), ProofsError> {
    if let Edge::Damaged(reason) = proofs.look_at_edge().await? {
        tracing::warn!(reason, "the tree over the log is damaged and is made again");
        proofs.tree().begin_again().await?;
    }
    Ok(())
}

/// Looks at all of the tree. Where it is damaged it is forgotten, to be made again.
async fn look_everywhere(proofs: &ProofLog) -> Result<(), ProofsError> {
    let mut next = Some(0);
    while let Some(part) = next {
        next = match proofs.look_inside(part).await {
            Err(ProofsError::Damaged(_)) => None,
            looked => looked?,
        };
    }
    Ok(())
}
