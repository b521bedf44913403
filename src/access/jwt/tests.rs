use super::{Fault, Keys, KeysFault, Verified, verify};
use crate::access::{Recent, Tag};
use crate::config::{Algorithm, Claim, Jwt, KeySource, TokenFrom};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const NOW: u64 = 1_700_000_000;

fn rules(algorithms: &[Algorithm]) -> Jwt {
    Jwt {
        keys: KeySource::File { path: "keys.json".into(), text: Vec::new() },
        issuer: "https://login.example".into(),
        audience: vec!["shop".into(), "other".into()],
        algorithms: algorithms.to_vec(),
        from: TokenFrom::Authorization,
        leeway: Duration::from_secs(30),
        fields: Vec::new(),
    }
}

fn claims() -> Value {
    json!({ "iss": "https://login.example", "aud": "shop", "sub": "ann", "exp": NOW + 60 })
}

/// `claims` with some of them otherwise; null takes one away.
fn but(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn part(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

type Sign = dyn Fn(&[u8]) -> Vec<u8>;

/// A key of an issuer: what it is called, what it is made of, and how it signs.
struct Signer {
    algorithm: &'static str,
    jwk: Value,
    sign: Box<Sign>,
}

impl Signer {
    fn ecdsa(curve: &str) -> Signer {
        let (algorithm, with, size) = match curve {
            "P-256" => ("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32),
            _ => ("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48),
        };
        let pair = EcdsaKeyPair::generate(with).unwrap();
        let point = pair.public_key().as_ref();
        let jwk = json!({ "kty": "EC", "crv": curve, "x": part(&point[1..=size]), "y": part(&point[size + 1..]) });
        let sign = move |text: &[u8]| pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec();
        Signer { algorithm, jwk, sign: Box::new(sign) }
    }

    fn ed25519() -> Signer {
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": part(pair.public_key().as_ref()) });
        Signer { algorithm: "EdDSA", jwk, sign: Box::new(move |text| pair.sign(text).as_ref().to_vec()) }
    }

    fn rsa(pair: &'static RsaKeyPair, algorithm: &'static str) -> Signer {
        let encoding: &'static dyn signature::RsaEncoding = match algorithm {
            "RS256" => &signature::RSA_PKCS1_SHA256,
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            "PS256" => &signature::RSA_PSS_SHA256,
            "PS384" => &signature::RSA_PSS_SHA384,
            _ => &signature::RSA_PSS_SHA512,
        };
        // RFC 8017 A.1.1, of 2,048 bits: SEQUENCE, INTEGER with a zero in front, INTEGER.
        let der = pair.public_key().as_ref();
        let (n, e) = (&der[9..9 + 256], &der[der.len() - 3..]);
        let jwk = json!({ "kty": "RSA", "n": part(n), "e": part(e) });
        let sign = move |text: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), text, &mut signature).unwrap();
            signature
        };
        Signer { algorithm, jwk, sign: Box::new(sign) }
    }

    fn named(mut self, id: &str) -> Signer {
        self.jwk["kid"] = id.into();
        self
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        format!("{signed}.{}", part((self.sign)(signed.as_bytes())))
    }

    fn token(&self, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm, "typ": "JWT" });
        if let Some(id) = self.jwk.get("kid") {
            header["kid"] = id.clone();
        }
        self.token_with(&header, claims)
    }
}

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

fn keys(jwks: &[&Value], algorithms: &[Algorithm]) -> Keys {
    Keys::parse(json!({ "keys": jwks }).to_string().as_bytes(), algorithms).unwrap()
}

fn judge(token: &str, keys: &Keys, jwt: &Jwt) -> Result<Verified, Fault> {
    verify(token.as_bytes(), keys, jwt, NOW)
}

const ALL: &[Algorithm] = &[
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

fn signers() -> Vec<Signer> {
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map(|name| Signer::rsa(&RSA, name));
    [Signer::ecdsa("P-256"), Signer::ecdsa("P-384"), Signer::ed25519()].into_iter().chain(rsa).collect()
}

#[test]
fn every_algorithm_is_verified_and_no_other_is_taken_for_it() {
    for signer in signers() {
        let own = Algorithm::named(signer.algorithm).unwrap();
        let token = signer.token(&claims());
        let all = keys(&[&signer.jwk], ALL);
        let verified = judge(&token, &all, &rules(&[own])).unwrap();
        assert_eq!((verified.user.as_deref(), verified.until), (Some("ann"), NOW + 90), "{}", signer.algorithm);
        // The right key and a right signature, but by an algorithm that the configuration does not name.
        let others: Vec<_> = ALL.iter().copied().filter(|other| *other != own).collect();
        assert_eq!(judge(&token, &all, &rules(&others)), Err(Fault::Algorithm), "{}", signer.algorithm);
        // The same signature under the name of each other algorithm.
        for name in Algorithm::NAMES.iter().filter(|name| **name != signer.algorithm) {
            let forged = signer.token_with(&json!({ "alg": name }), &claims());
            let fault = judge(&forged, &all, &rules(ALL)).unwrap_err();
            assert!(matches!(fault, Fault::UnknownKey | Fault::Signature), "{} as {name}: {fault:?}", signer.algorithm);
        }
    }
}

#[test]
fn the_examples_of_the_standards_are_verified() {
    // RFC 7515 A.2 and A.3, and what PyJWT makes.
    let rs256 = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    let es256 = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let mut rules = rules(&[Algorithm::Rs256, Algorithm::Es256]);
    (rules.issuer, rules.audience, rules.leeway) = ("joe".into(), Vec::new(), Duration::ZERO);
    let set = format!(r#"{{"keys":[{rs256},{es256}]}}"#);
    let keys = Keys::parse(set.as_bytes(), &rules.algorithms).unwrap();
    for token in [
        format!(
            "eyJhbGciOiJSUzI1NiJ9.{claims}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        ),
        format!(
            "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        ),
    ] {
        let verified = verify(token.as_bytes(), &keys, &rules, 1_300_819_379).unwrap();
        assert_eq!((verified.user, verified.until), (None, 1_300_819_380));
        assert_eq!(verify(token.as_bytes(), &keys, &rules, 1_300_819_380), Err(Fault::Expired));
    }
}

#[test]
fn what_an_attacker_would_try_lets_nobody_in() {
    let signer = Signer::ecdsa("P-256").named("k");
    let rsa = Signer::rsa(&RSA, "RS256").named("r");
    let (rules, keys) = (rules(ALL), keys(&[&signer.jwk, &rsa.jwk], ALL));
    let token = signer.token(&claims());
    assert!(judge(&token, &keys, &rules).is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = format!("{}.{}.", part(r#"{"alg":"none"}"#), parts[1]);
    assert_eq!(judge(&unsigned, &keys, &rules), Err(Fault::Algorithm));
    let empty = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(judge(&empty, &keys, &rules), Err(Fault::Signature));
    // CVE-2022-21449: r and s of 0.
    let zeros = format!("{}.{}.{}", parts[0], parts[1], part([0; 64]));
    assert_eq!(judge(&zeros, &keys, &rules), Err(Fault::Signature));
    let other_claims = format!("{}.{}.{}", parts[0], part(but(json!({ "sub": "root" })).to_string()), parts[2]);
    assert_eq!(judge(&other_claims, &keys, &rules), Err(Fault::Signature));
    // The public key of RSA as a shared secret: there are none.
    let confused = rsa.token_with(&json!({ "alg": "HS256", "kid": "r" }), &claims());
    assert_eq!(judge(&confused, &keys, &rules), Err(Fault::Algorithm));
    // A key that the token brings along.
    let evil = Signer::ecdsa("P-256").named("k");
    let brought = evil.token_with(
        &json!({ "alg": "ES256", "kid": "k", "jwk": evil.jwk, "jku": "https://evil.example", "x5u": "https://evil.example" }),
        &claims(),
    );
    assert_eq!(judge(&brought, &keys, &rules), Err(Fault::Signature));
    assert_eq!(
        judge(&signer.token_with(&json!({ "alg": "ES256", "kid": "../k" }), &claims()), &keys, &rules),
        Err(Fault::UnknownKey)
    );
    // An encrypted token has five parts.
    assert_eq!(judge(&format!("{token}.a.b"), &keys, &rules), Err(Fault::Malformed));
    // Each bit of the signature and of the claims counts.
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(verify(&changed, &keys, &rules, NOW).is_err(), "byte {at}");
    }
}

#[test]
fn issuer_audience_and_time_are_what_they_have_to_be() {
    let signer = Signer::ecdsa("P-256");
    let (rules, keys) = (rules(&[Algorithm::Es256]), keys(&[&signer.jwk], ALL));
    let says = |changes: Value| judge(&signer.token(&but(changes)), &keys, &rules).map(drop);
    for (changes, wanted) in [
        (json!({}), Ok(())),
        (json!({ "iss": null }), Err(Fault::Issuer)),
        (json!({ "iss": "https://login.example/" }), Err(Fault::Issuer)),
        (json!({ "iss": ["https://login.example"] }), Err(Fault::Issuer)),
        (json!({ "aud": null }), Err(Fault::Audience)),
        (json!({ "aud": "Shop" }), Err(Fault::Audience)),
        (json!({ "aud": [] }), Err(Fault::Audience)),
        (json!({ "aud": ["x", "other"] }), Ok(())),
        (json!({ "aud": ["shop", 1] }), Err(Fault::Audience)),
        (json!({ "aud": { "shop": 1 } }), Err(Fault::Audience)),
        (json!({ "exp": null }), Err(Fault::Expired)),
        (json!({ "exp": NOW - 29 }), Ok(())),
        (json!({ "exp": NOW - 30 }), Err(Fault::Expired)),
        (json!({ "exp": (NOW as f64) - 29.5 }), Err(Fault::Expired)),
        (json!({ "exp": -1 }), Err(Fault::Expired)),
        (json!({ "exp": 1e300 }), Ok(())),
        (json!({ "exp": u64::MAX }), Ok(())),
        (json!({ "exp": "9999999999" }), Err(Fault::Malformed)),
        (json!({ "nbf": NOW + 30 }), Ok(())),
        (json!({ "nbf": NOW + 31 }), Err(Fault::Early)),
        (json!({ "nbf": "0" }), Err(Fault::Malformed)),
        (json!({ "iat": NOW + 1000 }), Ok(())),
        (json!({ "sub": null }), Ok(())),
    ] {
        assert_eq!(says(changes.clone()), wanted, "{changes}");
    }
}

#[test]
fn claims_are_told_to_the_backend_or_the_token_is_refused() {
    let signer = Signer::ecdsa("P-256");
    let keys = keys(&[&signer.jwk], ALL);
    let told = |claim: Claim, changes: Value| {
        let rules = Jwt { fields: vec![("x".into(), claim)], ..rules(ALL) };
        judge(&signer.token(&but(changes)), &keys, &rules).map(|it| it.fields.first().map(|(_, text)| text.to_string()))
    };
    let name = |name: &str| Claim::Name(name.into());
    for (value, wanted) in [
        (json!("ann"), Ok(Some("ann"))),
        (json!("jürgen"), Ok(Some("jürgen"))),
        (json!(""), Ok(Some(""))),
        (json!(7), Ok(Some("7"))),
        (json!(true), Ok(Some("true"))),
        (json!(["a", "b c", 1]), Ok(Some("a, b c, 1"))),
        (json!([]), Ok(Some(""))),
        (json!(["a, admin"]), Err(Fault::Claim)),
        (json!([" a"]), Err(Fault::Claim)),
        (json!([""]), Err(Fault::Claim)),
        (json!([["a"]]), Err(Fault::Claim)),
        (json!({ "a": 1 }), Err(Fault::Claim)),
        (json!("a\r\nx-admin: 1"), Err(Fault::Claim)),
        (json!("a\u{0}"), Err(Fault::Claim)),
        (json!(" a"), Err(Fault::Claim)),
    ] {
        let wanted = wanted.map(|text| text.map(str::to_owned));
        assert_eq!(told(name("c"), json!({ "c": value })), wanted, "{value}");
    }
    assert_eq!(told(name("c"), json!({})), Ok(None));
    let deep = json!({ "realm_access": { "roles": ["a", "b"] }, "a/b": 1, "https://x.example/y": "z" });
    let pointer = |text: &str| Claim::Pointer(text.into());
    assert_eq!(told(pointer("/realm_access/roles"), deep.clone()), Ok(Some("a, b".into())));
    assert_eq!(told(pointer("/realm_access/none"), deep.clone()), Ok(None));
    assert_eq!(told(pointer("/a~1b"), deep.clone()), Ok(Some("1".into())));
    assert_eq!(told(name("https://x.example/y"), deep), Ok(Some("z".into())));
}

#[test]
fn keys_are_found_by_name_and_those_of_no_use_are_passed_over() {
    let (one, two) = (Signer::ecdsa("P-256").named("1"), Signer::ecdsa("P-256").named("2"));
    let nameless = Signer::ecdsa("P-256");
    let rules = rules(&[Algorithm::Es256]);
    let set = keys(&[&one.jwk, &two.jwk], ALL);
    assert!(judge(&one.token(&claims()), &set, &rules).is_ok() && judge(&two.token(&claims()), &set, &rules).is_ok());
    // A token that names no key is tried with some.
    assert!(judge(&two.token_with(&json!({ "alg": "ES256" }), &claims()), &set, &rules).is_ok());
    // One that names a key is tried with no other.
    assert_eq!(
        judge(&two.token_with(&json!({ "alg": "ES256", "kid": "1" }), &claims()), &set, &rules),
        Err(Fault::Signature)
    );
    let set = keys(&[&nameless.jwk], ALL);
    assert!(judge(&nameless.token(&claims()), &set, &rules).is_ok());
    assert_eq!(
        judge(&nameless.token_with(&json!({ "alg": "ES256", "kid": "1" }), &claims()), &set, &rules),
        Err(Fault::UnknownKey)
    );
    let with = |name: &str, value: Value| {
        let mut jwk = one.jwk.clone();
        jwk[name] = value;
        Keys::parse(json!({ "keys": [jwk] }).to_string().as_bytes(), ALL).map(|keys| keys.len())
    };
    for (name, value) in [
        ("use", json!("sig")),
        ("alg", json!("ES256")),
        ("key_ops", json!(["sign", "verify"])),
        ("d", json!("a secret that does not belong there")),
        ("x5c", json!(["not looked at"])),
    ] {
        assert_eq!(with(name, value), Ok(1), "{name}");
    }
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!(1)),
        ("alg", json!("ES384")),
        ("alg", json!("HS256")),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
        ("kid", json!(1)),
        ("kty", json!("oct")),
        ("kty", json!("OKP")),
        ("crv", json!("P-384")),
        ("x", json!("AAAA")),
        // A point that is not on the curve.
        ("x", json!(part([7; 32]))),
        ("x", json!(1)),
    ] {
        assert_eq!(with(name, value.clone()), Err(KeysFault::NoneFits), "{name} {value}");
    }
}

#[test]
fn rsa_keys_that_are_no_protection_are_passed_over() {
    let signer = Signer::rsa(&RSA, "RS256");
    let with = |n: &str, e: &str| {
        let jwk = json!({ "keys": [{ "kty": "RSA", "n": n, "e": e }] });
        Keys::parse(jwk.to_string().as_bytes(), &[Algorithm::Rs256]).map(drop)
    };
    let n = signer.jwk["n"].as_str().unwrap();
    assert_eq!(with(n, "AQAB"), Ok(()));
    // A zero in front, as some write it.
    let padded = part([&[0][..], &URL_SAFE_NO_PAD.decode(n).unwrap()].concat());
    assert_eq!(with(&padded, "AAEAAQ"), Ok(()));
    for (n, e) in [(n, "AQ"), (n, "Ag"), (n, ""), (n, "AQAAAAE"), (&n[..170], "AQAB"), ("", "AQAB")] {
        assert_eq!(with(n, e), Err(KeysFault::NoneFits), "{e}");
    }
}

#[test]
fn what_is_no_set_of_keys_is_said_to_be_none() {
    let parse = |text: &str| Keys::parse(text.as_bytes(), ALL).map(drop);
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        assert_eq!(parse(text), Err(KeysFault::Malformed), "{text}");
    }
    for text in [r#"{"keys":[]}"#, r#"{"keys":[1,"x",{}]}"#, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#] {
        assert_eq!(parse(text), Err(KeysFault::NoneFits), "{text}");
    }
    assert_eq!(parse(&format!(r#"{{"keys":[{}]}}"#, vec!["1"; 101].join(","))), Err(KeysFault::TooMany));
}

#[test]
#[ignore = "a measurement"]
fn how_long_a_signature_takes() {
    for signer in signers() {
        let (rules, token) = (rules(ALL), signer.token(&claims()));
        let keys = keys(&[&signer.jwk], ALL);
        let begun = std::time::Instant::now();
        for _ in 0..500 {
            assert!(judge(&token, &keys, &rules).is_ok());
        }
        println!("{}: {:?}", signer.algorithm, begun.elapsed() / 500);
    }
    let (recent, secret) = (Recent::default(), hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]));
    let token = signers()[0].token(&claims());
    let seconds = Duration::from_secs;
    recent.put(Tag::of(&secret, &[token.as_bytes()]), (), seconds(0), seconds(9));
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        assert!(recent.get(&Tag::of(&secret, &[token.as_bytes()]), seconds(1)).is_some());
    }
    println!("known, {} bytes: {:?}", token.len(), begun.elapsed() / 10_000);
}
