//! A log on a server that speaks the protocol of EventStoreDB. The data folder follows it, and has read models and keys.
//!
//! Invariant: a folder that follows a server is never appended to by itself.

use anyhow::bail;
use timeloom_store_sqlite::DataFolder;

use crate::config::Config;
use crate::store::Store;

/// Name of the file by which a folder says that it follows a server.
const FOLLOWS: &str = "follows-a-server";

/// Refuses a folder that follows a server.
///
/// # Errors
/// When it does.
pub fn refuse(folder: &DataFolder) -> anyhow::Result<()> {
    if folder.path().join(FOLLOWS).exists() {
        bail!(
            "the folder {} follows the log of a server: give that server with --store, or another folder with --data",
            folder.path().display()
        );
    }
    Ok(())
}

#[cfg(feature = "esdb")]
mod with_client {
    use std::sync::Arc;

    use anyhow::Context as _;
    use timeloom_commands::{Ids as _, SystemIds};
    use timeloom_store::clock::SystemClock;
    use timeloom_store::{BlobStore, DurabilityChoice, EventLog, FollowedClock};
    use timeloom_store_esdb::{EsdbLog, EsdbOptions};
    use timeloom_store_sqlite::{SqliteLog, SqliteOptions};

    use super::{Config, DataFolder, FOLLOWS, Store};

    /// How soon the disk has what the folder follows; the server has it before.
    const FLUSH_MS: u32 = 50;

    /// What follows a server.
    pub struct Followed(Arc<EsdbLog>);

    impl Followed {
        /// Follows it no more.
        pub async fn close(&self) {
            self.0.close().await;
        }
    }

    /// Opens the log on the server at `url`, with the data folder as what follows it.
    ///
    /// # Errors
    /// When either cannot be used; the message says what to do.
    pub async fn open(url: &str, config: &Config) -> anyhow::Result<Store> {
        let folder = Arc::new(DataFolder::acquire(&config.data)?);
        let clock = FollowedClock::new();
        let options = SqliteOptions {
            durability: DurabilityChoice::Relaxed { flush_ms: FLUSH_MS },
            ..SqliteOptions::new(SystemIds.uuid(), Arc::new(Arc::clone(&clock)))
        };
        let (replica, own) = SqliteLog::open_in(Arc::clone(&folder), options)?;
        let options = EsdbOptions { address: url.to_owned(), clock: Arc::new(SystemClock) };
        let opened = EsdbLog::open(options, Arc::clone(&replica) as _, clock).await;
        let (log, blobs) = opened.context("the log on the server that --store names cannot be used")?;
        std::fs::write(folder.path().join(FOLLOWS), "its log is on a server: give it with --store\n")
            .context("the data folder cannot be marked")?;
        let seen = (Arc::clone(&log) as Arc<dyn EventLog>, Arc::new(blobs) as Arc<dyn BlobStore>);
        Store::of_folder(config, &folder, replica, own, seen, Some(Followed(log))).await
    }
}

#[cfg(feature = "esdb")]
pub use with_client::{Followed, open};

/// Nothing is followed in this build.
#[cfg(not(feature = "esdb"))]
pub enum Followed {}

#[cfg(not(feature = "esdb"))]
impl Followed {
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub async fn close(&self) {
        match *self {}
    }
}

/// Says that this build cannot.
#[cfg(not(feature = "esdb"))]
#[expect(clippy::unused_async, reason = "with the feature it waits")]
pub async fn open(_url: &str, _config: &Config) -> anyhow::Result<Store> {
    bail!("this build has no client for --store: build it with `cargo build --release --features esdb`")
}
