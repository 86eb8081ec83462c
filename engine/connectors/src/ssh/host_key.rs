//! Which machine a server of SSH has to be: the one whose key the credential knows.

use russh::keys::{Algorithm, HashAlg, PublicKey};
use timeloom_engine::node::NodeError;

use crate::fields::Fields;

/// The keys that a server may have.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostKeys {
    keys: Vec<PublicKey>,
    fingerprints: Vec<String>,
}

impl HostKeys {
    /// Keys as `ssh-keyscan` and files of known hosts have them, or fingerprints, one a line, in that field of a credential.
    ///
    /// # Errors
    /// [`NodeError`] when there is none.
    pub fn read(fields: &Fields, name: &str) -> Result<Self, NodeError> {
        Self::of(&fields.text(name)).ok_or_else(|| {
            NodeError::operation(format!("the field '{name}' of the credential is no key of a server"))
                .described("give a line of `ssh-keyscan HOST`, or the fingerprint: SHA256:…")
        })
    }

    fn of(text: &str) -> Option<Self> {
        let mut read = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            if let Some(fingerprint) = words.clone().find(|word| word.starts_with("SHA256:")) {
                read.fingerprints.push(fingerprint.trim_end_matches('=').to_owned());
                continue;
            }
            let before = words.clone().zip(words.by_ref().skip(1)).find(|(_, word)| word.starts_with("AAAA"));
            let key = before.and_then(|(algorithm, key)| PublicKey::from_openssh(&format!("{algorithm} {key}")).ok());
            read.keys.push(key?);
        }
        Some(read).filter(|read| !read.keys.is_empty() || !read.fingerprints.is_empty())
    }

    /// Whether it is one of them.
    pub fn has(&self, key: &PublicKey) -> bool {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        self.keys.iter().any(|known| known.key_data() == key.key_data()) || self.fingerprints.contains(&fingerprint)
    }

    /// The kinds of keys that the server is asked for; `None` where any will do, since only fingerprints are known.
    pub fn algorithms(&self) -> Option<Vec<Algorithm>> {
        if !self.fingerprints.is_empty() {
            return None;
        }
        let mut algorithms = Vec::new();
        for key in &self.keys {
            match key.algorithm() {
                Algorithm::Rsa { .. } => algorithms
                    .extend([Some(HashAlg::Sha512), Some(HashAlg::Sha256)].map(|hash| Algorithm::Rsa { hash })),
                other => algorithms.push(other),
            }
        }
        Some(algorithms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn keys_are_read_as_people_have_them() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        for text in [
            KEY.to_owned(),
            format!("{KEY} ann@db"),
            format!("# db:22 SSH-2.0\n[db.example]:2222 {KEY}\n"),
            fingerprint.clone(),
            format!("256 {fingerprint} db (ED25519)"),
        ] {
            assert!(HostKeys::of(&text).unwrap().has(&key), "{text}");
        }
        let other = HostKeys::of("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert!(!other.has(&key));
        for text in ["", "# nothing", "ssh-ed25519", "open sesame", "ssh-ed25519 AAAAbroken"] {
            assert!(HostKeys::of(text).is_none(), "{text}");
        }
    }
}
