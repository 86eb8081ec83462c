//! SCRAM (RFC 5802) with SHA-256 (RFC 7677) and SHA-512: a password is proved without being told, and the broker proves that it
//! knows it too. Pure.
//!
//! Names and passwords are taken as they are written, in UTF-8: Kafka's brokers do not prepare them otherwise either. There is no
//! channel binding, which brokers do not know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256, Sha512};

/// Fewest rounds that are done: with fewer a password is guessed too easily from what was overheard.
const ROUNDS_MIN: u32 = 4_096;
/// Most rounds that are done for a broker.
const ROUNDS_MAX: u32 = 1_000_000;
/// Longest words of a broker about a refusal, in characters.
const WORDS_CHARACTERS_MAX: usize = 200;
/// That there is no channel binding, in base64: `n,,`.
const NO_BINDING: &str = "biws";

/// Why the exchange did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScramFault {
    /// It is not of this protocol.
    #[error("it does not speak SCRAM as it should: {0}")]
    Garbled(&'static str),
    /// What it wants is too little or too much.
    #[error("it wants {0} rounds of the hash: {ROUNDS_MIN} to {ROUNDS_MAX} are done")]
    Rounds(u32),
    /// It says no.
    #[error("it refused: {0}")]
    Refused(String),
    /// It says yes without knowing the password.
    #[error("it did not prove that it knows the password: another server may stand in its place")]
    NotProved,
}

/// The hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn keyed(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, bytes),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, bytes),
        }
    }

    /// The password after so many rounds with the salt.
    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => salted::<Hmac<Sha256>>(password, salt, rounds),
            Self::Sha512 => salted::<Hmac<Sha512>>(password, salt, rounds),
        }
    }
}

fn keyed<M: Mac + hmac::digest::KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // A key of any length will do.
    let Ok(made) = <M as Mac>::new_from_slice(key) else { return Vec::new() };
    made.chain_update(bytes).finalize().into_bytes().to_vec()
}

/// `Hi` of RFC 5802, which is PBKDF2 with a result of one block.
fn salted<M: Mac + hmac::digest::KeyInit + Clone>(password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    let Ok(begun) = <M as Mac>::new_from_slice(password) else { return Vec::new() };
    let mut last = begun.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize().into_bytes();
    let mut all = last.to_vec();
    for _ in 1..rounds {
        last = begun.clone().chain_update(&last).finalize().into_bytes();
        all.iter_mut().zip(&last).for_each(|(all, last)| *all ^= last);
    }
    all
}

fn mixed(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// An exchange that was begun.
pub(super) struct Scram {
    hash: Hash,
    user: String,
    password: String,
    nonce: String,
}

/// What the broker is sent last, and what it has to answer.
pub(super) struct Proof {
    /// The message.
    pub message: String,
    hash: Hash,
    server_key: Vec<u8>,
    exchanged: String,
}

impl Scram {
    /// An exchange by which `user` proves the password; `nonce` is drawn anew for each.
    pub fn new(hash: Hash, user: &str, password: &str, nonce: String) -> Self {
        // Both signs have a meaning of their own in a message.
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, user, password: password.to_owned(), nonce }
    }

    /// The first message: who asks.
    pub fn first(&self) -> String {
        format!("n,,{}", self.begin())
    }

    fn begin(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// What the broker is sent for its challenge. Computes for milliseconds, for seconds where the broker wants many rounds.
    ///
    /// # Errors
    /// [`ScramFault`] where the challenge is none.
    pub fn prove(&self, challenge: &str) -> Result<Proof, ScramFault> {
        refused(challenge)?;
        let (nonce, salt, rounds) = self.challenged(challenge)?;
        let salted = self.hash.salted(self.password.as_bytes(), &salt, rounds);
        let client_key = self.hash.keyed(&salted, b"Client Key");
        let server_key = self.hash.keyed(&salted, b"Server Key");
        let last = format!("c={NO_BINDING},r={nonce}");
        let exchanged = format!("{},{challenge},{last}", self.begin());
        let signature = self.hash.keyed(&self.hash.of(&client_key), exchanged.as_bytes());
        let message = format!("{last},p={}", STANDARD.encode(mixed(&client_key, &signature)));
        Ok(Proof { message, hash: self.hash, server_key, exchanged })
    }

    /// Nonce, salt and rounds of a challenge.
    fn challenged<'c>(&self, challenge: &'c str) -> Result<(&'c str, Vec<u8>, u32), ScramFault> {
        let mut parts = challenge.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let nonce = part("r=").ok_or(ScramFault::Garbled("a challenge has no nonce"))?;
        let salt = part("s=").and_then(|salt| STANDARD.decode(salt).ok()).filter(|salt| !salt.is_empty());
        let salt = salt.ok_or(ScramFault::Garbled("a challenge has no salt"))?;
        let rounds = part("i=").and_then(|rounds| rounds.parse().ok());
        let rounds = rounds.ok_or(ScramFault::Garbled("a challenge does not say how many rounds are to be done"))?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramFault::Garbled("a challenge answers another question"));
        }
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(ScramFault::Rounds(rounds));
        }
        Ok((nonce, salt, rounds))
    }
}

impl Proof {
    /// Whether the broker knows the password too.
    ///
    /// # Errors
    /// [`ScramFault`] where it does not, or refuses.
    pub fn check(&self, verdict: &str) -> Result<(), ScramFault> {
        refused(verdict)?;
        let told = verdict.split(',').next().and_then(|part| part.strip_prefix("v="));
        let told = told.and_then(|told| STANDARD.decode(told).ok());
        let told = told.ok_or(ScramFault::Garbled("a verdict has no signature"))?;
        let wanted = self.hash.keyed(&self.server_key, self.exchanged.as_bytes());
        // What is compared is no secret any more: both sides have sent what it is computed from but for the key.
        if told == wanted { Ok(()) } else { Err(ScramFault::NotProved) }
    }
}

fn refused(message: &str) -> Result<(), ScramFault> {
    match message.strip_prefix("e=") {
        Some(why) => Err(ScramFault::Refused(why.chars().take(WORDS_CHARACTERS_MAX).collect())),
        None => Ok(()),
    }
}

/// The side of a broker, for tests: it keeps what a broker keeps, and not the password.
#[cfg(test)]
pub(super) mod broker {
    use super::*;

    pub(in super::super) struct Broker {
        hash: Hash,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
        challenge: String,
        first: String,
    }

    const SALT: &[u8] = b"salt of the broker";

    impl Broker {
        pub fn new(hash: Hash, password: &str) -> Self {
            let salted = hash.salted(password.as_bytes(), SALT, ROUNDS_MIN);
            let stored_key = hash.of(&hash.keyed(&salted, b"Client Key"));
            let server_key = hash.keyed(&salted, b"Server Key");
            Self { hash, stored_key, server_key, challenge: String::new(), first: String::new() }
        }

        /// Who asks, and what they are asked.
        pub fn challenge(&mut self, first: &str) -> (String, String) {
            let begun = first.strip_prefix("n,,").unwrap();
            let (user, nonce) = begun.strip_prefix("n=").unwrap().split_once(",r=").unwrap();
            self.first = begun.to_owned();
            self.challenge = format!("r={nonce}more,s={},i={ROUNDS_MIN}", STANDARD.encode(SALT));
            (user.to_owned(), self.challenge.clone())
        }

        /// What follows from a proof; `None` where it is wrong.
        pub fn verdict(&self, last: &str) -> Option<String> {
            let (without, proof) = last.split_once(",p=").unwrap();
            assert!(without.starts_with("c=biws,r="), "{last}");
            let exchanged = format!("{},{},{without}", self.first, self.challenge);
            let signature = self.hash.keyed(&self.stored_key, exchanged.as_bytes());
            let client_key = mixed(&STANDARD.decode(proof).unwrap(), &signature);
            let signed = self.hash.keyed(&self.server_key, exchanged.as_bytes());
            (self.hash.of(&client_key) == self.stored_key).then(|| format!("v={}", STANDARD.encode(signed)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn begun(hash: Hash) -> Scram {
        Scram::new(hash, "user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_standard_is_spoken_to_the_letter() {
        let scram = begun(Hash::Sha256);
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let proof = scram.prove(CHALLENGE).unwrap();
        let wanted = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(proof.message, wanted);
        assert_eq!(proof.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        let other = "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(proof.check(other), Err(ScramFault::NotProved));
        assert_eq!(proof.check("e=invalid-proof"), Err(ScramFault::Refused("invalid-proof".to_owned())));
        assert!(matches!(proof.check(""), Err(ScramFault::Garbled(_))));
    }

    /// The same exchange, computed by the hashes of Python.
    #[test]
    fn the_same_exchange_goes_with_the_longer_hash() {
        let proof = begun(Hash::Sha512).prove(CHALLENGE).unwrap();
        let wanted = "p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
        assert!(proof.message.ends_with(wanted), "{}", proof.message);
        let verdict = "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";
        assert_eq!(proof.check(verdict), Ok(()));
    }

    #[test]
    fn challenges_that_are_none_are_refused() {
        let refuses = |challenge: &str| begun(Hash::Sha256).prove(challenge).err();
        for other in [
            "",
            "r=rOprNGfwEbeRWgbNEkqO,s=c2FsdA==,i=4096",
            "r=another,s=c2FsdA==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==",
            "m=later,r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=4096",
        ] {
            assert!(matches!(refuses(other), Some(ScramFault::Garbled(_))), "{other}");
        }
        let rounds = |count: u32| refuses(&format!("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i={count}"));
        assert_eq!(rounds(1), Some(ScramFault::Rounds(1)));
        assert_eq!(rounds(u32::MAX), Some(ScramFault::Rounds(u32::MAX)));
        assert_eq!(refuses("e=unknown-user"), Some(ScramFault::Refused("unknown-user".to_owned())));
    }

    #[test]
    fn a_name_with_signs_of_the_protocol_is_one_name() {
        let scram = Scram::new(Hash::Sha256, "a,b=c", "x", "n".to_owned());
        assert_eq!(scram.first(), "n,,n=a=2Cb=3Dc,r=n");
    }
}
