//! The stored form of an event whose personal fields are sealed, and of one whose subject is erased as readers get it.
//!
//! A frozen format: `{"$sealed":{"key":"<uuid>","nonce":"<base64>","data":"<base64>","blobs":["blob:<hash>",…]},<fields>}`.
//! Sealed with AES-256-GCM, bound to tenant, stream, event id and type: moved elsewhere it does not open. `blobs` names the
//! attachments in what is sealed, so that copies of the log take them along. What is kept for a limited time names the keys of
//! its days in `days` (after `key`, which is left out where it is about nobody), and is sealed under a key that takes all of
//! them. Of an erased one readers get `{"$erased":["<path>",…],<fields>}`, which is never stored of an event that was sealed.
//!
//! The nonce follows from the key and what is sealed: the same event sent again has the same bytes, and another one never
//! has the same nonce.

use aes_gcm::aead::{Aead, Payload as Sealing};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use timeloom_domain::ids::EventId;
use timeloom_domain::personal::PersonalField;
use zeroize::Zeroizing;

use super::{KEY_BYTES, KeyId, SubjectKey, fields};
use crate::blobs::BlobHash;
use crate::envelope::StreamKey;

/// What a sealed payload begins with, and no other payload of our own categories does.
const SEALED_START: &str = r#"{"$sealed":"#;
/// What the payload of an erased event begins with, as readers get it.
pub const ERASED_START: &str = r#"{"$erased":"#;
/// Bytes of the number that is used for one seal.
pub(super) const NONCE_BYTES: usize = 12;
/// What a seal is bound to besides its place.
const PURPOSE: &[u8] = b"timeloom subject seal 1\0";
/// For what several keys make one.
const TOGETHER: &[u8] = b"timeloom subject keys together 1\0";

/// Whether a stored payload has sealed fields.
pub fn is_sealed(payload: &RawValue) -> bool {
    payload.get().starts_with(SEALED_START)
}

/// The same of its text.
pub fn is_sealed_text(payload: &str) -> bool {
    payload.starts_with(SEALED_START)
}

/// Whether a payload is what is left of an erased one.
pub fn is_erased(payload: &RawValue) -> bool {
    payload.get().starts_with(ERASED_START)
}

/// The keys under which fields of a stored payload are sealed, all of which it takes to open them; none where none are, or it
/// is not as it should be.
pub fn keys_of(payload: &RawValue) -> Vec<KeyId> {
    key_ids(payload).iter().collect()
}

/// The same, told apart.
pub(super) fn key_ids(payload: &RawValue) -> KeyIds {
    let split = is_sealed(payload).then(|| split(payload.get()).ok()).flatten();
    split.map(|(header, _)| header.keys).unwrap_or_default()
}

/// By which keys something is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyIds {
    /// That of whom it is about.
    #[serde(rename = "key", default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<KeyId>,
    /// Those of the days with which it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) days: Vec<KeyId>,
}

impl KeyIds {
    pub(super) fn iter(&self) -> impl Iterator<Item = KeyId> {
        self.subject.into_iter().chain(self.days.iter().copied())
    }
}

/// The keys by which something is sealed.
#[derive(Debug, Clone, Default)]
pub(super) struct SealKeys {
    /// That of whom it is about.
    pub(super) subject: Option<SubjectKey>,
    /// Those of the days with which it goes.
    pub(super) days: Vec<SubjectKey>,
}

impl SealKeys {
    fn iter(&self) -> impl Iterator<Item = &SubjectKey> {
        self.subject.iter().chain(&self.days)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.subject.is_none() && self.days.is_empty()
    }

    pub(super) fn ids(&self) -> KeyIds {
        let days = self.days.iter().map(|key| key.id).collect();
        KeyIds { subject: self.subject.as_ref().map(|key| key.id), days }
    }

    /// The one key that it takes all of these to make: of one it is that one.
    fn together(&self) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        let mut keys = self.iter();
        let first = keys.next()?;
        let mut others = keys.peekable();
        if others.peek().is_none() {
            return Some(Zeroizing::new(*first.bytes()));
        }
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(first.bytes()).ok()?.chain_update(TOGETHER);
        let mac = others.fold(mac, |mac, key| mac.chain_update(key.bytes()));
        Some(Zeroizing::new(mac.finalize().into_bytes().into()))
    }
}

/// What is in front of a sealed payload.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    #[serde(flatten)]
    pub(super) keys: KeyIds,
    nonce: String,
    data: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blobs: Vec<String>,
}

/// Where an event is.
#[derive(Clone, Copy)]
pub(super) struct Place<'event> {
    pub(super) stream: &'event StreamKey,
    pub(super) id: EventId,
    pub(super) event_type: &'event str,
}

impl Place<'_> {
    fn bound_to(self) -> Vec<u8> {
        let mut bound = PURPOSE.to_vec();
        bound.extend(self.stream.tenant.0.to_be_bytes());
        for text in [&*self.stream.category, &*self.stream.id, self.event_type] {
            bound.extend((text.len() as u64).to_be_bytes());
            bound.extend(text.as_bytes());
        }
        bound.extend(self.id.0.as_bytes());
        bound
    }
}

/// A key for one purpose, made of another.
pub(super) fn derived(key: &[u8; KEY_BYTES], purpose: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(key).ok()?.chain_update(purpose);
    Some(Zeroizing::new(mac.finalize().into_bytes().into()))
}

/// Seals `text` under `key`, with a number that follows from both: number first.
pub(super) fn seal_bytes(key: &[u8; KEY_BYTES], text: &[u8], bound: &[u8]) -> Option<([u8; NONCE_BYTES], Vec<u8>)> {
    let number_key = derived(key, "nonce")?;
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(&*number_key).ok()?;
    let mac = mac.chain_update((bound.len() as u64).to_be_bytes()).chain_update(bound).chain_update(text);
    let digest = mac.finalize().into_bytes();
    let mut nonce = [0; NONCE_BYTES];
    nonce.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    let cipher = Aes256Gcm::new_from_slice(&*derived(key, "seal")?).ok()?;
    let sealed = cipher.encrypt((&nonce).into(), Sealing { msg: text, aad: bound }).ok()?;
    Some((nonce, sealed))
}

/// Opens what was sealed; `None` when it is not what was sealed under this key for this place.
pub(super) fn open_bytes(
    key: &[u8; KEY_BYTES],
    nonce: &[u8],
    sealed: &[u8],
    bound: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    let cipher = Aes256Gcm::new_from_slice(&*derived(key, "seal")?).ok()?;
    cipher.decrypt((&nonce).into(), Sealing { msg: sealed, aad: bound }).ok().map(Zeroizing::new)
}

/// Seals the fields of `payload` under all of `keys`; `None` when it has none of them.
///
/// # Errors
/// What is wrong with the payload.
pub(super) fn seal(
    keys: &SealKeys,
    place: Place<'_>,
    payload: &str,
    fields: &[PersonalField],
) -> Result<Option<String>, String> {
    let paths: Vec<&str> = fields.iter().map(|field| field.path).collect();
    let taken = fields::take(payload, &paths).map_err(|error| error.to_string())?;
    let Some((left, taken)) = taken else { return Ok(None) };
    let taken = Zeroizing::new(taken);
    let mut blobs: Vec<String> = BlobHash::of_attachments(&taken).map(|hash| hash.attachment_id()).collect();
    blobs.sort_unstable();
    blobs.dedup();
    let key = keys.together().ok_or("there is no key to seal it with")?;
    let (nonce, data) = seal_bytes(&key, taken.as_bytes(), &place.bound_to()).ok_or("it cannot be sealed")?;
    let header = Header { keys: keys.ids(), nonce: STANDARD.encode(nonce), data: STANDARD.encode(data), blobs };
    let header = serde_json::to_string(&header).map_err(|error| error.to_string())?;
    Ok(Some(with_first(SEALED_START, &header, &left)))
}

/// The object `left` with one field more in front.
fn with_first(start: &str, value: &str, left: &str) -> String {
    let rest = left.strip_prefix('{').unwrap_or(left);
    let comma = if rest == "}" { "" } else { "," };
    format!("{start}{value}{comma}{rest}")
}

/// The two parts of a sealed payload.
///
/// # Errors
/// What is wrong with it.
pub(super) fn split(sealed: &str) -> Result<(Header, &str), String> {
    let rest = sealed.strip_prefix(SEALED_START).ok_or("it is not sealed")?;
    let mut headers = serde_json::Deserializer::from_str(rest).into_iter::<Header>();
    let header = headers.next().ok_or("it has no seal")?.map_err(|error| format!("its seal is wrong: {error}"))?;
    let left = rest.get(headers.byte_offset()..).unwrap_or_default();
    Ok((header, left.strip_prefix(',').unwrap_or(left)))
}

/// The payload as it came in. `keys` are those of the header in its order, `left` is what follows it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn open(keys: &SealKeys, place: Place<'_>, header: &Header, left: &str) -> Result<String, String> {
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| "its seal is not base64".to_owned());
    let key = keys.together().ok_or("its seal names no key")?;
    let opened = open_bytes(&key, &decoded(&header.nonce)?, &decoded(&header.data)?, &place.bound_to());
    let opened = opened.ok_or("its seal does not open: it is not what was sealed for this event")?;
    let taken = std::str::from_utf8(&opened).map_err(|error| error.to_string())?;
    fields::put(&format!("{{{left}"), taken).map_err(|error| error.to_string())
}

/// What readers get once the subject is erased.
///
/// # Errors
/// What is wrong with it.
pub(super) fn erased(left: &str, fields: &[PersonalField]) -> Result<String, String> {
    let placeholders: Vec<(&str, &str)> = fields.iter().map(|field| (field.path, field.erased)).collect();
    let (text, filled) = fields::fill(&format!("{{{left}"), &placeholders).map_err(|error| error.to_string())?;
    let marks: Vec<(&str, &str)> =
        fields.iter().filter(|field| field.marks).map(|field| (field.path, field.erased)).collect();
    let text = fields::add(&text, "", &marks).map_err(|error| error.to_string())?;
    let paths = serde_json::to_string(&filled).map_err(|error| error.to_string())?;
    Ok(with_first(ERASED_START, &paths, &text))
}

/// An event that would be sealed under a key that is gone: with what stands for its fields at once.
///
/// # Errors
/// What is wrong with the payload.
pub(super) fn never_kept(payload: &str, fields: &[PersonalField]) -> Result<Option<String>, String> {
    let paths: Vec<&str> = fields.iter().map(|field| field.path).collect();
    let taken = fields::take(payload, &paths).map_err(|error| error.to_string())?;
    taken.map(|(left, _)| erased(left.strip_prefix('{').unwrap_or(&left), fields)).transpose()
}
