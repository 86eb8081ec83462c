//! Signatures with keys that authors hold in PEM form: RSA and elliptic curves.
//!
//! Weak digests and short keys are refused. No error tells anything of a key.

#[cfg(test)]
pub(crate) mod testing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, RsaEncoding, RsaKeyPair, UnparsedPublicKey};
use ring::signature::{RsaPublicKeyComponents, VerificationAlgorithm};
use timeloom_engine::node::NodeError;

/// How something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RSA with the padding of PKCS #1 v1.5.
    RsaPkcs1(Digest),
    /// RSA with the probabilistic padding.
    RsaPss(Digest),
    /// An elliptic curve, the signature as two numbers of fixed length (as in JSON web tokens).
    EcFixed(Digest),
    /// An elliptic curve, the signature in DER.
    EcDer(Digest),
}

/// What is signed in place of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    /// SHA-256; with the curve P-256.
    Sha256,
    /// SHA-384; with the curve P-384.
    Sha384,
    /// SHA-512; RSA alone.
    Sha512,
}

/// The signature of `data` under the private key in `pem`.
///
/// # Errors
/// [`NodeError`] when the key cannot be read or does not fit.
pub(crate) fn sign(scheme: Scheme, pem: &str, data: &[u8]) -> Result<Vec<u8>, NodeError> {
    let key = Key::read(pem)?;
    let random = SystemRandom::new();
    if let Some((algorithm, curve)) = curve_algorithm(scheme) {
        let pair = key.ec_pair(algorithm, curve?, &random)?;
        let signed = pair.sign(&random, data).map_err(|_| unfit())?;
        return Ok(signed.as_ref().to_vec());
    }
    let padding: &dyn RsaEncoding = match scheme {
        Scheme::RsaPss(Digest::Sha256) => &signature::RSA_PSS_SHA256,
        Scheme::RsaPss(Digest::Sha384) => &signature::RSA_PSS_SHA384,
        Scheme::RsaPss(Digest::Sha512) => &signature::RSA_PSS_SHA512,
        Scheme::RsaPkcs1(Digest::Sha384) => &signature::RSA_PKCS1_SHA384,
        Scheme::RsaPkcs1(Digest::Sha512) => &signature::RSA_PKCS1_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    };
    let pair = key.rsa_pair()?;
    let mut signed = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &random, data, &mut signed).map_err(|_| unfit())?;
    Ok(signed)
}

/// Whether `signed` is the signature of `data` by the key in `pem`: a public key, or the private one.
///
/// # Errors
/// [`NodeError`] when the key cannot be read.
pub(crate) fn verify(scheme: Scheme, pem: &str, data: &[u8], signed: &[u8]) -> Result<bool, NodeError> {
    let key = Key::read(pem)?;
    let algorithm: &dyn VerificationAlgorithm = match scheme {
        Scheme::EcFixed(Digest::Sha384) => &signature::ECDSA_P384_SHA384_FIXED,
        Scheme::EcFixed(_) => &signature::ECDSA_P256_SHA256_FIXED,
        Scheme::EcDer(Digest::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        Scheme::EcDer(_) => &signature::ECDSA_P256_SHA256_ASN1,
        Scheme::RsaPss(Digest::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPss(Digest::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPss(Digest::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::RsaPkcs1(Digest::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RsaPkcs1(Digest::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1(Digest::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
    };
    if key.kind.ends_with("PRIVATE KEY") && !matches!(scheme, Scheme::EcFixed(_) | Scheme::EcDer(_)) {
        let pair = key.rsa_pair()?;
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
        let parameters = rsa_parameters(scheme);
        return Ok(public.verify(parameters, data, signed).is_ok());
    }
    let public = key.public()?;
    Ok(UnparsedPublicKey::new(algorithm, public).verify(data, signed).is_ok())
}

fn rsa_parameters(scheme: Scheme) -> &'static signature::RsaParameters {
    match scheme {
        Scheme::RsaPss(Digest::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPss(Digest::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPss(Digest::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::RsaPkcs1(Digest::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1(Digest::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
    }
}

type Curve = (&'static EcdsaSigningAlgorithm, Result<&'static [u8], NodeError>);

/// Object identifiers of the curves.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

fn curve_algorithm(scheme: Scheme) -> Option<Curve> {
    let unknown = || Err(NodeError::operation("the curve P-521 is not supported: use ES256 or ES384"));
    Some(match scheme {
        Scheme::EcFixed(Digest::Sha256) => (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, Ok(P256)),
        Scheme::EcFixed(Digest::Sha384) => (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, Ok(P384)),
        Scheme::EcDer(Digest::Sha256) => (&signature::ECDSA_P256_SHA256_ASN1_SIGNING, Ok(P256)),
        Scheme::EcDer(Digest::Sha384) => (&signature::ECDSA_P384_SHA384_ASN1_SIGNING, Ok(P384)),
        Scheme::EcFixed(Digest::Sha512) | Scheme::EcDer(Digest::Sha512) => {
            (&signature::ECDSA_P384_SHA384_ASN1_SIGNING, unknown())
        }
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => return None,
    })
}

fn unfit() -> NodeError {
    NodeError::operation(
        "the key does not fit the algorithm: RSA takes keys of at least 2048 bits, ES256 of the curve P-256",
    )
}

fn unreadable() -> NodeError {
    NodeError::operation("the key cannot be read")
        .described("give it in PEM form, unencrypted: the lines from -----BEGIN to -----END")
}

/// A key as its PEM form holds it.
struct Key {
    kind: String,
    der: Vec<u8>,
}

impl Key {
    /// Reads the first key. Forms lose line ends, so those within the markers may be blanks or missing.
    fn read(pem: &str) -> Result<Self, NodeError> {
        let pem = pem.replace("\\n", "\n");
        let (_, rest) = pem.split_once("-----BEGIN ").ok_or_else(unreadable)?;
        let (kind, rest) = rest.split_once("-----").ok_or_else(unreadable)?;
        let (body, _) = rest.split_once("-----END").ok_or_else(unreadable)?;
        let text: String = body.split_whitespace().collect();
        let der = STANDARD.decode(text).map_err(|_| unreadable())?;
        Ok(Self { kind: kind.trim().to_owned(), der })
    }

    fn rsa_pair(&self) -> Result<RsaKeyPair, NodeError> {
        match self.kind.as_str() {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&self.der),
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&self.der),
            _ => return Err(unreadable()),
        }
        .map_err(|_| unfit())
    }

    fn ec_pair(
        &self,
        algorithm: &'static EcdsaSigningAlgorithm,
        curve: &[u8],
        random: &SystemRandom,
    ) -> Result<EcdsaKeyPair, NodeError> {
        let wrapped = match self.kind.as_str() {
            "EC PRIVATE KEY" => {
                const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
                let kind = element(0x30, &[EC_PUBLIC_KEY, curve].concat());
                element(0x30, &[vec![0x02, 0x01, 0x00], kind, element(0x04, &self.der)].concat())
            }
            "PRIVATE KEY" => self.der.clone(),
            _ => return Err(unreadable()),
        };
        EcdsaKeyPair::from_pkcs8(algorithm, &wrapped, random).map_err(|_| unfit())
    }

    /// The key itself, without what says of which kind it is.
    fn public(&self) -> Result<Vec<u8>, NodeError> {
        match self.kind.as_str() {
            "RSA PUBLIC KEY" => Ok(self.der.clone()),
            "PUBLIC KEY" => {
                let mut outer = Der(&self.der);
                let mut inner = Der(outer.take(0x30).ok_or_else(unreadable)?);
                inner.take(0x30).ok_or_else(unreadable)?;
                let bits = inner.take(0x03).ok_or_else(unreadable)?;
                Ok(bits.get(1..).unwrap_or_default().to_vec())
            }
            _ => Err(unreadable()),
        }
    }
}

/// An element of DER with that tag.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match content.len() {
        short @ 0..=127 => bytes.push(short as u8),
        length => {
            let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            bytes.push(0x80 | digits.len() as u8);
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Elements of DER, read one after the other.
struct Der<'b>(&'b [u8]);

impl<'b> Der<'b> {
    /// The content of the next element, where it has that tag.
    fn take(&mut self, tag: u8) -> Option<&'b [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (first, mut rest) = rest.split_first()?;
        let mut length = usize::from(*first);
        if length >= 0x80 {
            let digits = rest.get(..length & 0x7f).filter(|digits| digits.len() <= 4)?;
            rest = rest.get(digits.len()..)?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        }
        let content = rest.get(..length)?;
        self.0 = rest.get(length..)?;
        (*found == tag).then_some(content)
    }
}
