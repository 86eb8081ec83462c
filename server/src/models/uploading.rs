//! Files of models that are sent to this server.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::Bytes;
use async_trait::async_trait;
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_inference::models::{Begun, Digest, UploadError};
use timeloom_inference_front::uploads::{Became, BecomeVersion, Begin, Kept, PIECE_BYTES_MAX, Standing, Uploading};
use timeloom_inference_front::v2::{Refusal, RefusalKind};
use timeloom_read_api::ApiState;
use uuid::Uuid;

use super::{AddModelFile, Files, Manager, now_ms, refusals};

/// The uploads of this server.
pub struct Uploads {
    manager: Manager,
}

impl Uploads {
    pub fn new(manager: Manager) -> Self {
        Self { manager }
    }

    /// Does something with the files where waiting for the disk is allowed.
    async fn on_disk<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Files) -> Result<T, UploadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let files = Arc::clone(self.manager.files());
        let done = tokio::task::spawn_blocking(move || what(&files)).await;
        let done = done.map_err(|error| Refusal::new(RefusalKind::Fault, error.to_string()))?;
        done.map_err(|error| refusals::upload(&error))
    }
}

fn id_of(text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| Refusal::new(RefusalKind::NotFound, "there is no such upload: begin another one"))
}

fn digest_of(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error| Refusal::new(RefusalKind::Invalid, format!("{error}")))
}

fn standing(begun: Begun) -> Standing {
    let Begun { id, bytes, offset, .. } = begun;
    Standing { id: id.to_string(), bytes, offset, piece_bytes_max: PIECE_BYTES_MAX }
}

#[async_trait]
impl Uploading for Uploads {
    type Who = ApiState;

    fn who(&self, request: &HttpRequest) -> Result<ApiState, Refusal> {
        refusals::who(request, Permission::RegistryWrite)
    }

    async fn begin(&self, who: &ApiState, begin: Begin) -> Result<Standing, Refusal> {
        let wanted = begin.sha256.as_deref().map(digest_of).transpose()?;
        let id = (who.tenant(), SystemIds.uuid());
        let begun = self.on_disk(move |files| files.uploads.begin(id, begin.bytes, wanted.as_ref(), now_ms()));
        begun.await.map(standing)
    }

    async fn standing(&self, who: &ApiState, id: &str) -> Result<Standing, Refusal> {
        let id = (who.tenant(), id_of(id)?);
        self.on_disk(move |files| files.uploads.find(id)).await.map(standing)
    }

    async fn append(&self, who: &ApiState, id: &str, offset: u64, piece: Bytes) -> Result<Standing, Refusal> {
        let id = (who.tenant(), id_of(id)?);
        self.on_disk(move |files| files.uploads.append(id, offset, &piece, now_ms())).await.map(standing)
    }

    async fn become_version(&self, who: &ApiState, id: &str, what: BecomeVersion) -> Result<Became, Refusal> {
        let id = (who.tenant(), id_of(id)?);
        let invalid = |error: String| Refusal::new(RefusalKind::Invalid, error);
        let model = Slug::try_new(what.model).map_err(|error| invalid(error.to_string()))?;
        let mut beside = Vec::with_capacity(what.beside.len());
        for file in what.beside {
            beside.push((file.path, digest_of(&file.sha256)?));
        }
        let kept = self.on_disk(move |files| files.uploads.finish(id)).await?;
        let add = AddModelFile {
            model,
            description: what.description,
            digest: kept.digest,
            source: what.source,
            licence: what.licence,
            beside,
            promote: what.promote,
        };
        let added = self.manager.add(&who.context(None), add).await;
        let added = added.map_err(|error| refusals::not_added(&error))?;
        Ok(Became {
            model: added.model.to_string(),
            version: added.version,
            sha256: added.digest.to_string(),
            position: added.position.to_string(),
        })
    }

    async fn become_file(&self, who: &ApiState, id: &str) -> Result<Kept, Refusal> {
        let id = (who.tenant(), id_of(id)?);
        let kept = self.on_disk(move |files| files.uploads.finish(id)).await?;
        Ok(Kept { sha256: kept.digest.to_string(), bytes: kept.bytes })
    }

    async fn abandon(&self, who: &ApiState, id: &str) -> Result<(), Refusal> {
        let id = (who.tenant(), id_of(id)?);
        let was_there = self.on_disk(move |files| Ok(files.uploads.abandon(id)?)).await?;
        if was_there { Ok(()) } else { Err(refusals::upload(&UploadError::Unknown(id.1))) }
    }
}
