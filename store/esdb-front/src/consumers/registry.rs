//! Which groups are at work in this process. A group works while it has consumers.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tonic::Status;

use super::group::{self, GroupKey};
use super::work::{Joining, Message, Work};
use crate::front::Front;
use crate::status;

/// Messages that wait for the work of a group.
const QUEUE_MAX: usize = 1_024;
/// Groups at work in one process.
const GROUPS_MAX: usize = 1_000;

/// The groups at work.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    working: Mutex<HashMap<GroupKey, Working>>,
}

#[derive(Debug)]
struct Working {
    messages: mpsc::Sender<Message>,
    task: JoinHandle<()>,
}

impl Registry {
    /// Lets a consumer join a group, which begins to work if it does not.
    pub(crate) async fn join(
        &self,
        front: &Front,
        key: &GroupKey,
        mut joining: Joining,
    ) -> Result<mpsc::Sender<Message>, Status> {
        let mut working = self.working.lock().await;
        if let Some(known) = working.remove(key) {
            match known.messages.send(Message::Join(joining)).await {
                Ok(()) => {
                    let messages = known.messages.clone();
                    working.insert(key.clone(), known);
                    return Ok(messages);
                }
                Err(mpsc::error::SendError(Message::Join(back))) => {
                    joining = back;
                    // How far it came is remembered before the next one begins.
                    if known.task.await.is_err() {
                        tracing::error!("the work of a group of consumers ended early");
                    }
                }
                Err(_) => return Err(Status::internal("a consumer was lost")),
            }
        }
        working.retain(|_, known| !known.task.is_finished());
        if working.len() >= GROUPS_MAX {
            return Err(Status::resource_exhausted(format!("at most {GROUPS_MAX} groups have consumers at a time")));
        }
        let read = group::read(&*front.inner.parts.log, key).await?;
        let found = read.group.ok_or_else(status::no_group)?;
        let name = mark_name(key, &found);
        let claim = front.inner.parts.claims.claim(&name).await.map_err(|error| status::fault(&error))?;
        let claim = claim.ok_or_else(status::elsewhere)?;
        let mark = front.inner.parts.mark(&name);
        let (messages, queue) = mpsc::channel(QUEUE_MAX);
        let work = match Work::begin(front.clone(), key.clone(), found, mark).await {
            Ok(work) => work,
            Err(status) => {
                claim.give_back().await;
                return Err(status);
            }
        };
        if messages.send(Message::Join(joining)).await.is_err() {
            return Err(Status::internal("a consumer was lost"));
        }
        let task = front.inner.tasks.spawn(work.run(queue, claim));
        working.insert(key.clone(), Working { messages: messages.clone(), task });
        Ok(messages)
    }

    /// Tells a group that it was changed, if it is at work here.
    pub(crate) async fn changed(&self, key: &GroupKey) {
        if let Some(messages) = self.messages(key).await {
            // A group that ends reads what it is when it begins again.
            let _ = messages.send(Message::Changed).await;
        }
    }

    /// How a group is reached that is at work here.
    pub(crate) async fn messages(&self, key: &GroupKey) -> Option<mpsc::Sender<Message>> {
        self.working.lock().await.get(key).map(|known| known.messages.clone())
    }
}

/// The name under which it is remembered how far a group came.
pub(crate) fn mark_name(key: &GroupKey, group: &group::Group) -> String {
    format!("consumers-{}-{}-{}.mark", key.tenant.0, key.id(), group.created)
}

/// Remembers how far groups came, by names.
pub type Marks = Arc<dyn Fn(&str) -> Arc<dyn timeloom_store::mark::Mark> + Send + Sync>;
