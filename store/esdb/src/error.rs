//! What can go wrong between this process and the server.

use timeloom_store::{BlobError, LogError, Position};

/// Why the log on a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EsdbError {
    /// The address is none.
    #[error("'{address}' is no address of a server: give esdb://NAME:PASSWORD@host:port?tls=false, or with tls=true")]
    Address {
        /// The address, without what may be secret.
        address: String,
    },
    /// The server does not let in.
    #[error("the server of the log does not let this process in: check the name and password in the address")]
    AccessDenied,
    /// The server failed, or cannot be reached.
    #[error("the server of the log failed: {0}")]
    Server(#[source] Box<eventstore::Error>),
    /// The server does not delete what was to be deleted.
    #[error(
        "the server of the log does not delete {stream}: {reason}; give --store a name that may delete it, or delete it there"
    )]
    NotDeleted {
        /// Which stream.
        stream: String,
        /// What the server says.
        reason: String,
    },
    /// The replica is that of another log.
    #[error(
        "the data folder follows another log: its event at position {position} is not the server's; give an empty folder"
    )]
    OtherLog {
        /// Where they differ first, as far as it was looked.
        position: Position,
    },
    /// An event on the server is none of ours.
    #[error("the event at revision {revision} of the server's stream is none of a log: {detail}")]
    Foreign {
        /// Its place in the stream, from 0.
        revision: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// The replica cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A payload that is kept by itself cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl From<eventstore::Error> for EsdbError {
    fn from(error: eventstore::Error) -> Self {
        match error {
            eventstore::Error::AccessDenied => Self::AccessDenied,
            error => Self::Server(Box::new(error)),
        }
    }
}

impl From<EsdbError> for LogError {
    fn from(error: EsdbError) -> Self {
        match error {
            EsdbError::Log(error) => error,
            error => Self::storage(error),
        }
    }
}
