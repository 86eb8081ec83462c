//! Which addresses a provider may be at: where not all may be reached, the address that was checked is connected to.

use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::vec::IntoIter;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// An address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error(
    "requests to '{0}' are refused: its address is private or reserved; the operator of this deployment can allow the host for outbound requests"
)]
pub(super) struct Barred(pub(super) String);

/// Finds addresses of names, and hands on those alone that may be reached.
#[derive(Debug, Clone)]
pub(super) struct Names {
    may_reach: Option<fn(IpAddr) -> bool>,
}

impl Names {
    pub(super) fn new(may_reach: Option<fn(IpAddr) -> bool>) -> Self {
        Self { may_reach }
    }
}

impl Service<Name> for Names {
    type Response = IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let may_reach = self.may_reach;
        async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may = |address: &SocketAddr| may_reach.is_none_or(|may_reach| may_reach(address.ip()));
            let addresses: Vec<SocketAddr> = found.filter(may).collect();
            if addresses.is_empty() { Err(Barred(name.as_str().to_owned()).into()) } else { Ok(addresses.into_iter()) }
        }
        .boxed()
    }
}

/// The address, where it is written in the place of a name.
pub(super) fn written_address(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_matches(['[', ']']).parse().ok()
}
