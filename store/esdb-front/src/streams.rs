//! The service of streams: each call goes to the module that answers it.

use timeloom_domain::access::Permission;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::batch::Answers;
use crate::front::Front;
use crate::read::Messages;
use crate::status;
use crate::wire::streams::streams_server::Streams;
use crate::wire::streams::{
    AppendReq, AppendResp, BatchAppendReq, DeleteReq, DeleteResp, ReadReq, TombstoneReq, TombstoneResp,
};

/// What somebody hears who wants to delete.
const NEVER_DELETED: &str =
    "events of this log are never deleted, and its streams neither: append an event that says what is void";

#[async_trait]
impl Streams for Front {
    type ReadStream = Messages;
    type BatchAppendStream = Answers;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Messages>, Status> {
        self.serve_read(request).await
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        self.serve_append(request).await
    }

    async fn batch_append(&self, request: Request<Streaming<BatchAppendReq>>) -> Result<Response<Answers>, Status> {
        self.serve_batch(request).await
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        self.let_in(request.metadata(), Permission::EventAppend).await?;
        Err(status::never(NEVER_DELETED))
    }

    async fn tombstone(&self, request: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        self.let_in(request.metadata(), Permission::EventAppend).await?;
        Err(status::never(NEVER_DELETED))
    }
}
