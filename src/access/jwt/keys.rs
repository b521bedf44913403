use super::json;
use crate::config::Algorithm;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;

/// The keys of an issuer, made ready for the algorithms that the configuration names.
#[derive(Debug)]
pub struct Keys {
    list: Vec<Key>,
}

struct Key {
    id: Option<Box<str>>,
    /// The same key for each algorithm that it may be used with: an RSA key takes several.
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

/// Why a JWK Set (RFC 7517) is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysFault {
    /// It is no JSON, or no set of keys.
    Malformed,
    /// There are too many.
    TooMany,
    /// None of them can verify a signature by any of the algorithms.
    NoneFits,
}

impl fmt::Display for KeysFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeysFault::Malformed => f.write_str("it is not a JWK Set: wanted is {\"keys\": [ … ]}"),
            KeysFault::TooMany => write!(f, "it has more than {KEYS_MAX} keys"),
            KeysFault::NoneFits => f.write_str("none of its keys verifies signatures by any of the `algorithms`"),
        }
    }
}

impl Keys {
    /// Reads a set. Keys that are for something else, or of a kind that is not known, are passed over, as RFC 7517 §5
    /// wants it.
    ///
    /// # Errors
    /// There is nothing to be used.
    pub fn parse(text: &[u8], algorithms: &[Algorithm]) -> Result<Keys, KeysFault> {
        let set = json::object(text).ok_or(KeysFault::Malformed)?;
        let Some(Value::Array(listed)) = set.get("keys") else { return Err(KeysFault::Malformed) };
        if listed.len() > KEYS_MAX {
            return Err(KeysFault::TooMany);
        }
        let list: Vec<Key> = listed.iter().filter_map(|key| Key::read(key.as_object()?, algorithms)).collect();
        if list.is_empty() { Err(KeysFault::NoneFits) } else { Ok(Keys { list }) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those that a token may be signed with: of its name, or all if it names none; a bounded number.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &ParsedPublicKey> {
        let named = self.list.iter().filter(move |key| id.is_none() || key.id.as_deref() == id);
        let fits = move |key: &'_ Key| key.verifiers.iter().position(|(other, _)| *other == algorithm);
        named.filter_map(move |key| Some(&key.verifiers[fits(key)?].1)).take(KEYS_TRIED_MAX)
    }
}

impl Key {
    fn read(jwk: &Map<String, Value>, algorithms: &[Algorithm]) -> Option<Key> {
        let text = |name: &str| match jwk.get(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text.as_str())),
            Some(_) => None,
        };
        let (id, of) = (text("kid")?, text("alg")?);
        // RFC 7517 §4.2, §4.3: what a key is for.
        let verifies = match jwk.get("key_ops") {
            None => true,
            Some(operations) => operations.as_array()?.iter().any(|operation| operation == "verify"),
        };
        if !verifies || text("use")?.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let material = Material::read(jwk)?;
        let fits = |algorithm: &&Algorithm| of.is_none_or(|of| Algorithm::named(of) == Some(**algorithm));
        let ready = |algorithm: &Algorithm| Some((*algorithm, material.ready(*algorithm)?));
        let verifiers: Vec<_> = algorithms.iter().filter(fits).filter_map(ready).collect();
        (!verifiers.is_empty()).then(|| Key { id: id.map(Into::into), verifiers })
    }
}

/// What a key is made of; by its kind alone it fits some algorithms and no others.
enum Material {
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl Material {
    fn read(jwk: &Map<String, Value>) -> Option<Material> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let sized = |name: &str, len: usize| bytes(name).filter(|bytes| bytes.len() == len);
        // RFC 7518 §6.2.1.2: coordinates have the size of the curve.
        let point = |len: usize| Some([&[UNCOMPRESSED][..], &sized("x", len)?, &sized("y", len)?].concat());
        match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => point(32).map(Material::P256),
            ("EC", Some("P-384")) => point(48).map(Material::P384),
            ("OKP", Some("Ed25519")) => sized("x", 32).map(Material::Ed25519),
            ("RSA", _) => {
                let (n, e) = (unpadded(bytes("n")?), unpadded(bytes("e")?));
                let is_sound = (RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&n.len())
                    && (1..=EXPONENT_BYTES_MAX).contains(&e.len())
                    && e.last().is_some_and(|last| last % 2 == 1)
                    && e != [1];
                is_sound.then_some(Material::Rsa(RsaPublicKeyComponents { n, e }))
            }
            _ => None,
        }
    }

    fn ready(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        let parsed = |with: &'static dyn VerificationAlgorithm, bytes: &[u8]| ParsedPublicKey::new(with, bytes).ok();
        match (self, algorithm) {
            (Material::P256(point), Algorithm::Es256) => parsed(&signature::ECDSA_P256_SHA256_FIXED, point),
            (Material::P384(point), Algorithm::Es384) => parsed(&signature::ECDSA_P384_SHA384_FIXED, point),
            (Material::Ed25519(key), Algorithm::EdDsa) => parsed(&signature::ED25519, key),
            (Material::Rsa(key), algorithm) => key.to_parsed_public_key(rsa(algorithm)?).ok(),
            _ => None,
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}

/// Some issuers write a zero in front of numbers, which RFC 7518 §6.3.1.1 says they should not.
fn unpadded(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes[zeros..].to_vec()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.verifiers.iter().map(|(algorithm, _)| algorithm).collect();
        write!(f, "{:?} {algorithms:?}", self.id)
    }
}

/// Keys of one issuer.
const KEYS_MAX: usize = 100;
/// Keys that a token which names none is tried with: each costs the time of a signature.
const KEYS_TRIED_MAX: usize = 4;
/// SEC 1 §2.3.3
const UNCOMPRESSED: u8 = 4;
/// 2,048 bits (RFC 7518 §3.3).
const RSA_BYTES_MIN: usize = 256;
/// 8,192 bits: a larger key takes too long.
const RSA_BYTES_MAX: usize = 1024;
const EXPONENT_BYTES_MAX: usize = 4;
