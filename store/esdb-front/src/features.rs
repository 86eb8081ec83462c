//! What clients ask first: which calls there are, and which server to use. Both are answered to everybody, since clients
//! ask without their credential.

use tonic::{Request, Response, Status, async_trait};

use crate::front::Front;
use crate::serve::Local;
use crate::wire::gossip::gossip_server::Gossip;
use crate::wire::gossip::member_info::VNodeState;
use crate::wire::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::wire::server_features::server_features_server::ServerFeatures;
use crate::wire::server_features::{SupportedMethod, SupportedMethods};
use crate::wire::{self, Ids};

/// The version of the protocol's server that clients take this one for: they choose what they ask for by it.
const VERSION: &str = "24.10.0";

const STREAMS: &str = "event_store.client.streams.streams";
const CONSUMERS: &str = "event_store.client.persistent_subscriptions.persistentsubscriptions";
const FEATURES: &str = "event_store.client.server_features.serverfeatures";
const GOSSIP: &str = "event_store.client.gossip.gossip";

/// Each call that is answered, with what it can do beyond the first version.
const METHODS: [(&str, &str, &[&str]); 15] = [
    (STREAMS, "read", &["position", "events"]),
    (STREAMS, "append", &[]),
    (STREAMS, "batchappend", &["deadline_duration"]),
    (STREAMS, "delete", &[]),
    (STREAMS, "tombstone", &[]),
    (CONSUMERS, "create", &["stream", "all"]),
    (CONSUMERS, "update", &["stream", "all"]),
    (CONSUMERS, "delete", &["stream", "all"]),
    (CONSUMERS, "read", &["stream", "all"]),
    (CONSUMERS, "getinfo", &["stream", "all"]),
    (CONSUMERS, "replayparked", &["stream", "all"]),
    (CONSUMERS, "list", &["stream", "all"]),
    (CONSUMERS, "restartsubsystem", &[]),
    (FEATURES, "getsupportedmethods", &[]),
    (GOSSIP, "read", &[]),
];

#[async_trait]
impl ServerFeatures for Front {
    async fn get_supported_methods(&self, _request: Request<()>) -> Result<Response<SupportedMethods>, Status> {
        let methods = METHODS.iter().map(|(service, method, features)| SupportedMethod {
            method_name: (*method).to_owned(),
            service_name: (*service).to_owned(),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        });
        let methods = methods.collect();
        Ok(Response::new(SupportedMethods { methods, event_store_server_version: VERSION.to_owned() }))
    }
}

#[async_trait]
impl Gossip for Front {
    /// One server, which leads, at the address at which it was asked.
    async fn read(&self, request: Request<()>) -> Result<Response<ClusterInfo>, Status> {
        let Local(local) =
            request.extensions().get().copied().ok_or_else(|| Status::internal("no address is known"))?;
        let member = MemberInfo {
            instance_id: Some(wire::id(self.inner.instance, Ids::Text)),
            time_stamp: 0,
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: local.ip().to_string(), port: local.port().into() }),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}
