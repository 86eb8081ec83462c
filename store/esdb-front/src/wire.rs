//! The messages and services of the protocol, as `build.rs` writes them, and small steps between them and our words.
#![expect(
    clippy::all,
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "most of it is generated, whether it is used or not"
)]

use timeloom_domain::ids::EventId;
use timeloom_store::Position;
use uuid::Uuid;

use self::event_store::client;
pub use self::event_store::client::{gossip, persistent_subscriptions, server_features, streams};
pub use self::google::rpc;

pub mod event_store {
    pub mod client {
        tonic::include_proto!("event_store.client");

        pub mod streams {
            tonic::include_proto!("event_store.client.streams");
        }
        pub mod persistent_subscriptions {
            tonic::include_proto!("event_store.client.persistent_subscriptions");
        }
        pub mod server_features {
            tonic::include_proto!("event_store.client.server_features");
        }
        pub mod gossip {
            tonic::include_proto!("event_store.client.gossip");
        }
    }
}

pub mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

pub use client::{AllStreamPosition, StreamIdentifier, Uuid as WireUuid, WrongExpectedVersion};

/// How a client wants to have ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// As text.
    Text,
    /// As two halves.
    Halves,
}

/// An id on the wire.
pub fn id(id: Uuid, ids: Ids) -> WireUuid {
    let value = match ids {
        Ids::Text => client::uuid::Value::String(id.to_string()),
        Ids::Halves => {
            let (high, low) = id.as_u64_pair();
            client::uuid::Value::Structured(client::uuid::Structured {
                most_significant_bits: high.cast_signed(),
                least_significant_bits: low.cast_signed(),
            })
        }
    };
    WireUuid { value: Some(value) }
}

/// The id that came over the wire; `None` when it is none.
pub fn read_id(id: Option<&WireUuid>) -> Option<Uuid> {
    match id?.value.as_ref()? {
        client::uuid::Value::String(text) => text.parse().ok(),
        client::uuid::Value::Structured(halves) => Some(Uuid::from_u64_pair(
            halves.most_significant_bits.cast_unsigned(),
            halves.least_significant_bits.cast_unsigned(),
        )),
    }
}

/// The same, of an event.
pub fn read_event_id(id: Option<&WireUuid>) -> Option<EventId> {
    read_id(id).map(EventId)
}

/// A stream's name on the wire.
pub fn stream(name: String) -> StreamIdentifier {
    StreamIdentifier { stream_name: name.into_bytes().into() }
}

/// A position on the wire: both halves are the same.
pub fn position(position: Position) -> AllStreamPosition {
    AllStreamPosition { commit_position: position.0, prepare_position: position.0 }
}
