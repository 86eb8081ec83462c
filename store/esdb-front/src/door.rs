//! Who sends a call, and whether they may. The key of an account comes as the password of `Basic`, under whatever name, or
//! as the token of `Bearer`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use timeloom_domain::access::{Permission, Principal};
use tonic::Status;
use tonic::metadata::MetadataMap;
use zeroize::Zeroizing;

use crate::front::{Front, OpenTo};
use crate::status;

/// Longest header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 4_096;

impl Front {
    /// Who sends a call that needs `needed`.
    pub(crate) async fn let_in(&self, metadata: &MetadataMap, needed: Permission) -> Result<Principal, Status> {
        let principal = match &self.inner.parts.open_to {
            OpenTo::Everybody(principal) => Principal::clone(principal),
            OpenTo::Keys => {
                let access = &self.inner.parts.access;
                let key = shown(metadata)?;
                let principal = access.let_in_by_key(&key).map_err(|why| status::unauthenticated(why.to_string()))?;
                self.count(&principal)?;
                access.note_use(&principal).await;
                principal
            }
        };
        principal.require(needed).map_err(|error| status::forbidden(error.to_string()))?;
        Ok(principal)
    }

    /// Counts a call of somebody's, or what is as much work as one.
    pub(crate) fn count(&self, principal: &Principal) -> Result<(), Status> {
        match &self.inner.parts.open_to {
            // Whoever has the machine asks as often as they like.
            OpenTo::Everybody(_) => Ok(()),
            OpenTo::Keys => (self.inner.parts.measure)(principal).map_err(status::too_often),
        }
    }

    /// The same one as they may do now, for calls that last.
    pub(crate) fn renewed(&self, known: &Principal, needed: Permission) -> Result<Principal, Status> {
        let renewed = self.inner.parts.access.renewed(known);
        let renewed = renewed.map_err(|why| status::unauthenticated(why.to_string()))?;
        renewed.require(needed).map_err(|error| status::forbidden(error.to_string()))?;
        Ok(renewed)
    }
}

/// The key that a call shows.
fn shown(metadata: &MetadataMap) -> Result<Zeroizing<String>, Status> {
    let unreadable = || {
        status::unauthenticated(
            "the key of an account must come as the password of Basic or the token of Bearer, once".to_owned(),
        )
    };
    let mut headers = metadata.get_all("authorization").iter();
    let header = match (headers.next(), headers.next()) {
        (Some(header), None) => header.to_str().map_err(|_| unreadable())?,
        (Some(_), Some(_)) => return Err(unreadable()),
        (None, _) => {
            let message = "show a key: as the password in the client's address, esdb://NAME:KEY@host:port";
            return Err(status::unauthenticated(message.to_owned()));
        }
    };
    let (scheme, rest) = header.split_once(' ').filter(|_| header.len() <= HEADER_BYTES_MAX).ok_or_else(unreadable)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Zeroizing::new(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unreadable());
    }
    let decoded = Zeroizing::new(STANDARD.decode(rest.trim()).map_err(|_| unreadable())?);
    let text = std::str::from_utf8(&decoded).map_err(|_| unreadable())?;
    let (_, key) = text.split_once(':').ok_or_else(unreadable)?;
    Ok(Zeroizing::new(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(values: &[&'static str]) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for value in values {
            metadata.append("authorization", value.parse().unwrap());
        }
        metadata
    }

    #[test]
    fn a_key_is_the_password_of_basic_or_the_token_of_bearer() {
        let basic = "Basic YW5hOmtleTp3aXRoOmNvbG9ucw==";
        assert_eq!(*shown(&metadata(&[basic])).unwrap(), "key:with:colons");
        assert_eq!(*shown(&metadata(&["bearer  abc"])).unwrap(), "abc");
        for wrong in [&["Basic ???"][..], &["Basic YWJj"], &["Digest a"], &["abc"], &["Bearer a", "Bearer b"], &[]] {
            let refused = shown(&metadata(wrong)).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{wrong:?}");
        }
    }
}
