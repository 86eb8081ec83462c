//! Names of streams as clients have them, `category-id`, and as the log has them.
//!
//! Invariant: a name is read as the stream that is shown under this name.

use timeloom_domain::event::OWN_CATEGORIES;
use timeloom_domain::ids::TenantId;
use timeloom_store::StreamKey;
use tonic::Status;

use crate::status;
use crate::wire::StreamIdentifier;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 1_024;

/// The name of a stream.
pub(crate) fn name(stream: &StreamKey) -> String {
    match &*stream.id {
        "" => stream.category.to_string(),
        id => format!("{}-{id}", stream.category),
    }
}

/// A name that came over the wire.
pub(crate) fn read(identifier: Option<&StreamIdentifier>) -> Result<&str, Status> {
    let bytes = identifier.map(|identifier| &*identifier.stream_name).unwrap_or_default();
    let name = std::str::from_utf8(bytes).ok().filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()));
    let name = name.filter(|name| !name.chars().any(char::is_control));
    name.ok_or_else(|| {
        status::invalid(format!(
            "the name of a stream has 1 to {NAME_BYTES_MAX} bytes of text without control characters"
        ))
    })
}

/// Whether a name is one of those that the protocol keeps for the server: of these there are none here.
pub(crate) fn is_system(name: &str) -> bool {
    name.starts_with('$')
}

/// The stream with that name. One of our own categories is known whole, dashes and all; of others the first dash ends the
/// category.
pub(crate) fn key(tenant: TenantId, name: &str) -> Result<StreamKey, Status> {
    let own = OWN_CATEGORIES.iter().filter(|own| name.strip_prefix(**own).is_some_and(|rest| rest.starts_with('-')));
    let (category, id) = match own.max_by_key(|own| own.len()) {
        Some(own) => (*own, name.get(own.len() + 1..).unwrap_or_default()),
        None => name.split_once('-').unwrap_or((name, "")),
    };
    if category.is_empty() || (id.is_empty() && name.ends_with('-')) {
        return Err(status::invalid("a stream is named category-id: neither part may be empty around the first dash"));
    }
    Ok(StreamKey::new(tenant, category, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_are_read() {
        let tenant = TenantId(3);
        for (given, category, id) in [
            ("order-1", "order", "1"),
            ("order-a-b", "order", "a-b"),
            ("order", "order", ""),
            ("replay-check-0199-7000", "replay-check", "0199-7000"),
            ("replay-1", "replay", "1"),
            ("agent-run-5", "agent-run", "5"),
            ("agent-5", "agent", "5"),
            ("ä ö-ü", "ä ö", "ü"),
        ] {
            let stream = key(tenant, given).unwrap();
            assert_eq!((&*stream.category, &*stream.id, stream.tenant), (category, id, tenant));
            assert_eq!(name(&stream), given);
        }
        for wrong in ["-1", "order-", "-"] {
            assert!(key(tenant, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let named = |bytes: &'static [u8]| StreamIdentifier { stream_name: bytes.into() };
        assert_eq!(read(Some(&named(b"order-1"))).unwrap(), "order-1");
        for wrong in [&b""[..], b"a\nb", &[0xff], &[b'a'; NAME_BYTES_MAX + 1]] {
            assert!(read(Some(&named(wrong))).is_err());
        }
        assert!(read(None).is_err());
    }
}
