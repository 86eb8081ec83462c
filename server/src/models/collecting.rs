//! Files of models of which nothing became: those that were rejected, and weights that no model was given.

use std::collections::BTreeSet;
use std::io;

use timeloom_commands::ModelListing;
use timeloom_inference::models::{Digest, Pending, Store};

/// What is part of no version is kept so long, in milliseconds: whoever sent it may still make something of it.
pub const PENDING_MS_MAX: u64 = 24 * 3_600_000;

/// Puts away what came in long ago and is part of no version of any tenant's model; gives what. `models` must be as the log
/// says now.
///
/// # Errors
/// When the disk fails.
pub fn collect(store: &Store, models: &ModelListing, now_ms: u64) -> io::Result<Vec<Pending>> {
    let old = store.pending(now_ms, PENDING_MS_MAX)?;
    if old.is_empty() || !models.knows_all() {
        return Ok(Vec::new());
    }
    let (claimed, mut gone) = (claimed(models), Vec::new());
    for pending in old {
        if claimed.contains(&pending) {
            store.claim(&pending)?;
        } else if store.discard(&pending, now_ms, PENDING_MS_MAX)? {
            gone.push(pending);
        }
    }
    Ok(gone)
}

/// What the versions of all models are made of.
fn claimed(models: &ModelListing) -> BTreeSet<Pending> {
    let mut claimed = BTreeSet::new();
    for version in models.models().flat_map(|(.., model)| &model.versions) {
        let Ok(digest) = version.digest.parse::<Digest>() else { continue };
        let external = version.file.iter().flat_map(|file| &file.external);
        let beside: Vec<(String, Digest)> =
            external.filter_map(|file| Some((file.path.clone(), file.digest.parse().ok()?))).collect();
        claimed.extend(beside.iter().map(|(_, digest)| Pending::File(digest.clone())));
        if !beside.is_empty() {
            claimed.insert(Pending::Laid(Store::laid_name(&digest, &beside)));
        }
        claimed.insert(Pending::File(digest));
    }
    claimed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use timeloom_commands::{AddModelVersion, CommandContext, Commands, Ids as _, SystemIds};
    use timeloom_domain::catalogue::NodeCatalogue;
    use timeloom_domain::ids::{Actor, CommandId, Slug, TenantId};
    use timeloom_domain::inference::Signature;
    use timeloom_domain::model::{ExternalFile, ModelFile};
    use timeloom_store::{MemoryLog, SystemClock};

    use super::*;
    use crate::clock::MachineClock;

    /// Later than anything that happens in a test, in milliseconds since 1970.
    const LATER_MS: u64 = 1 << 45;

    #[tokio::test]
    async fn a_rejected_file_is_put_away_after_a_day_and_no_tenants_version_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 1 << 20).unwrap();
        let keep = |bytes: &[u8]| store.keep(bytes, None, "a").unwrap().digest;
        let (rejected, version, weights) = (keep(b"rejected"), keep(b"version"), keep(b"weights"));
        let log = MemoryLog::new(Arc::new(SystemClock));
        let commands =
            Commands::new(log, Arc::new(NodeCatalogue::default()), Arc::new(MachineClock), Arc::new(SystemIds));
        let context = || {
            let (actor, id) = (Actor::System("test".to_owned()), CommandId(SystemIds.uuid()));
            CommandContext::trusted(TenantId(7), actor, id)
        };
        let name = Slug::try_new("mood").unwrap();
        commands.register_model(&context(), name.clone(), String::new()).await.unwrap();
        let beside = ExternalFile { path: "w.bin".to_owned(), digest: weights.to_string(), bytes: 7 };
        let file = ModelFile {
            bytes: 7,
            signature: Signature::default(),
            opset: 17,
            nodes: 1,
            producer: String::new(),
            source: None,
            licence: None,
            external: vec![beside],
        };
        let file = Some(Box::new(file));
        let add = AddModelVersion { format: "onnx".to_owned(), digest: version.to_string(), file };
        let added = commands.add_model_version(&context(), name, add).await.unwrap();
        let models = commands.models().wait_for(added.position).await.unwrap();

        assert!(collect(&store, &models, crate::models::now_ms()).unwrap().is_empty());
        assert!(store.find(&rejected).is_ok(), "it came a moment ago");
        assert_eq!(collect(&store, &models, LATER_MS).unwrap(), [Pending::File(rejected.clone())]);
        assert!(store.find(&rejected).is_err());
        assert!(store.find(&version).is_ok() && store.find(&weights).is_ok());
    }
}
