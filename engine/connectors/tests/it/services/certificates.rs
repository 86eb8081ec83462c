//! Certificates of a test's own.

use rcgen::{CertifiedKey, generate_simple_self_signed};

/// A certificate for a name that signs itself, with its key, both in PEM form.
pub(crate) struct Certificate {
    pub certificate: String,
    pub key: String,
}

/// A certificate for `localhost`.
pub(crate) fn for_localhost() -> Certificate {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Certificate { certificate: cert.pem(), key: signing_key.serialize_pem() }
}
