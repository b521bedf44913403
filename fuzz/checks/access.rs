use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::LazyLock;
use std::time::Duration;
use weir::access::jwt::{Keys, token, verify};
use weir::access::{Given, given};
use weir::config::{Algorithm, Jwt, KeySource, TokenFrom};
use weir::http::{FieldName, Fields, is_value};

/// Whatever stands in Authorization, or is said to be a token or a set of keys, is read or refused; and the one token that
/// its issuer signed has one spelling.
pub(crate) fn check(data: &[u8]) {
    keys(data);
    lets_in(data);
    if is_value(data) {
        let mut fields = Fields::default();
        fields.push_known(FieldName::Authorization, data);
        credentials(&fields, data);
        if let Ok(text) = token(&fields, &TokenFrom::Authorization) {
            assert!(data.ends_with(text));
            lets_in(text);
        }
        let mut fields = Fields::default();
        fields.push_known(FieldName::Cookie, data);
        let _ = token(&fields, &TokenFrom::Cookie("a".to_owned()));
    }
}

fn credentials(fields: &Fields, data: &[u8]) {
    if let Given::Credentials(given) = given(fields) {
        let text = format!("{}:{}", given.name(), given.password());
        assert!(!given.name().contains(':') && !text.chars().any(char::is_control));
        assert!(data.ends_with(STANDARD.encode(&text).as_bytes()), "one spelling");
    }
}

fn lets_in(text: &[u8]) {
    let (rules, keys) = &*ISSUER;
    if verify(text, keys, rules, NOW).is_ok() {
        assert_eq!(text, TOKEN.as_bytes(), "a token that nobody signed");
    }
}

fn keys(data: &[u8]) {
    if let Ok(keys) = Keys::parse(data, ALGORITHMS) {
        assert!(!keys.is_empty());
        let json: serde_json::Value = serde_json::from_slice(data).expect("what is read is JSON");
        assert!(keys.len() <= json["keys"].as_array().expect("a list").len());
    }
}

static ISSUER: LazyLock<(Jwt, Keys)> = LazyLock::new(|| {
    let rules = Jwt {
        keys: KeySource::File { path: "keys.json".into(), text: Vec::new() },
        issuer: "joe".to_owned(),
        audience: Vec::new(),
        algorithms: ALGORITHMS.to_vec(),
        from: TokenFrom::Authorization,
        leeway: Duration::ZERO,
        fields: Vec::new(),
    };
    let keys = Keys::parse(KEYS.as_bytes(), ALGORITHMS).expect("the example of RFC 7515");
    assert!(verify(TOKEN.as_bytes(), &keys, &rules, NOW).is_ok(), "the example of RFC 7515");
    (rules, keys)
});

const ALGORITHMS: &[Algorithm] = &[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
/// While the token's time lasts.
const NOW: u64 = 1_300_819_000;
/// RFC 7515 A.2.
const KEYS: &str = r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#;
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
