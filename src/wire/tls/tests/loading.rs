use super::super::testing::*;
use super::super::{ServerTls, Tickets};
use crate::config::Certificate;
use rcgen::{KeyPair, date_time_ymd};
use std::path::Path;

#[test]
fn a_certificate_and_its_key_are_read_from_one_file_in_any_order() {
    let files = Files::new();
    let Made { cert, key } = files.sign(&[HOST]);
    let ca = files.authority();
    for (at, blocks) in
        [[&cert, &ca, &key], [&key, &cert, &ca], [&cert, &key, &ca], [&ca, &cert, &key]].into_iter().enumerate()
    {
        let text: String = blocks.into_iter().map(String::as_str).collect();
        serves(&files, one_file(files.write(&format!("{at}.pem"), &text)));
    }
}

#[test]
fn text_between_blocks_and_windows_line_ends_are_no_matter() {
    let files = Files::new();
    let Made { cert, key } = files.sign(&[HOST]);
    let text = format!("\u{feff}# the shop\nsubject=CN = shop\n{cert}\n\nBag Attributes\n    key: 1\n{key}the end");
    serves(&files, one_file(files.write("comments.pem", &text)));
    serves(&files, one_file(files.write("crlf.pem", &text.replace('\n', "\r\n"))));
    serves(&files, one_file(files.write("cr.pem", &text.replace('\n', "\r"))));
}

#[test]
fn a_certificate_and_its_key_are_read_from_two_files() {
    let files = Files::new();
    serves(&files, files.pair("shop", &files.sign(&[HOST])));
}

#[test]
fn a_key_in_sec_1_form_is_read_with_and_without_its_parameters() {
    let files = Files::new();
    let made = files.sign(&[HOST]);
    let Certificate { cert, key } = files.pair("shop", &made);
    let sec1 = files.path("sec1.key");
    openssl(&["pkey", "-traditional", "-in", text(&key.unwrap()), "-out", text(&sec1)]);
    let key = std::fs::read_to_string(&sec1).unwrap();
    assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"), "{key}");
    serves(&files, Certificate { cert: cert.clone(), key: Some(sec1) });

    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let with_parameters = files.write("parameters.key", &format!("{parameters}{key}"));
    serves(&files, Certificate { cert, key: Some(with_parameters) });
}

#[test]
fn an_rsa_key_is_read_in_pkcs_1_and_in_pkcs_8_form() {
    let files = Files::new();
    let (pkcs8, pkcs1, cert) = (files.path("8.key"), files.path("1.key"), files.path("rsa.crt"));
    openssl(&["genrsa", "-out", text(&pkcs8), "2048"]);
    openssl(&["pkey", "-traditional", "-in", text(&pkcs8), "-out", text(&pkcs1)]);
    let subject = ["-subj", "/CN=rsa", "-addext", "subjectAltName=DNS:shop.example"];
    openssl(&[&["req", "-x509", "-key", text(&pkcs8), "-out", text(&cert)], subject.as_slice()].concat());
    for (key, form) in [(pkcs1, "BEGIN RSA PRIVATE KEY"), (pkcs8, "BEGIN PRIVATE KEY")] {
        assert!(std::fs::read_to_string(&key).unwrap().contains(form));
        let certificate = Certificate { cert: cert.clone(), key: Some(key) };
        handshake(&unverified(|_| true), HOST, &build(&listener(vec![certificate])).unwrap()).unwrap();
    }
}

#[test]
fn each_fault_of_a_file_is_told_with_its_name() {
    let files = Files::new();
    let (made, other) = (files.sign(&[HOST]), files.sign(&[HOST]));
    let cert = files.write("a.crt", &made.cert);
    let told = |name: &str, text: &str| {
        let key = Some(files.write(name, text));
        refusal(&files, vec![Certificate { cert: cert.clone(), key }])
    };
    assert_eq!(
        told("other.key", &other.key),
        "other.key: has a private key that does not match any certificate in a.crt"
    );
    assert_eq!(told("two.key", &[made.key, other.key].concat()), "two.key: has 2 private keys in it, expected one");
    assert!(told("none.key", &made.cert).starts_with("none.key: has no private key in it"));
    assert_eq!(
        told("bad.key", "-----BEGIN PRIVATE KEY-----\n%%%\n-----END PRIVATE KEY-----\n"),
        "bad.key: is not valid PEM: block 1 is not base64"
    );
    let nonsense = told("odd.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(nonsense.starts_with("odd.key: has a private key that cannot be used:"), "{nonsense}");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(told("locked.key", encrypted).starts_with("locked.key: has an encrypted private key"));

    let missing = refusal(&files, vec![one_file(files.path("missing.pem"))]);
    assert!(missing.starts_with("missing.pem: cannot be read: No such file"), "{missing}");
    let empty = refusal(&files, vec![one_file(files.write("empty.pem", ""))]);
    assert!(empty.contains("empty.pem: has no certificate in it"), "{empty}");
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned() + &files.sign(&[HOST]).key;
    let odd = refusal(&files, vec![one_file(files.write("odd.pem", &odd))]);
    assert!(odd.contains("odd.pem: has a certificate that cannot be understood:"), "{odd}");
    assert_eq!(refusal(&files, Vec::new()), "TLS needs at least one certificate");
}

#[test]
fn an_encrypted_key_as_openssl_makes_it_is_called_so() {
    let files = Files::new();
    let Certificate { cert, key } = files.pair("shop", &files.sign(&[HOST]));
    let key = key.unwrap();
    for (name, form) in [("new.key", "pkcs8"), ("old.key", "ec")] {
        let locked = files.path(name);
        let form = if form == "pkcs8" { vec!["pkcs8", "-topk8", "-v2", "aes256"] } else { vec!["ec", "-aes128"] };
        openssl(&[form.as_slice(), &["-in", text(&key), "-out", text(&locked), "-passout", "pass:secret"]].concat());
        let told = refusal(&files, vec![Certificate { cert: cert.clone(), key: Some(locked) }]);
        assert!(told.contains("has an encrypted private key"), "{told}");
    }
}

#[test]
fn odd_dates_and_names_are_warnings() {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let old = files.sign_with(&[HOST], &key, |params| params.not_after = date_time_ymd(2001, 2, 3));
    let young = files.sign_with(&[HOST], &key, |params| params.not_before = date_time_ymd(4001, 2, 3));
    let nameless = files.sign(&[]);
    let certificates =
        [("old", &old), ("young", &young), ("nameless", &nameless)].map(|(name, made)| files.pair(name, made)).to_vec();
    let listener = listener(certificates);
    let (_, warnings) = ServerTls::build(&listener, BOTH, &Tickets::new()).unwrap();
    let warnings = files.relative(&warnings.join("\n"));
    assert!(warnings.contains("old.crt: certificate 1 (CN=rcgen self signed cert) expired on Feb  3"), "{warnings}");
    assert!(
        warnings.contains("young.crt: certificate 1 (CN=rcgen self signed cert) is not valid before"),
        "{warnings}"
    );
    assert!(warnings.contains("young.crt: shop.example is also in old.crt, which is used"), "{warnings}");
    assert!(warnings.contains("nameless.crt: names no host"), "{warnings}");
}

#[test]
fn a_sound_certificate_gives_no_warning() {
    let files = Files::new();
    let (_, warnings) = ServerTls::build(&files.listener(&[HOST]), BOTH, &Tickets::new()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
}

fn serves(files: &Files, certificate: Certificate) {
    handshake(&files.client(None), HOST, &build(&listener(vec![certificate])).unwrap()).unwrap();
}

fn refusal(files: &Files, certificates: Vec<Certificate>) -> String {
    files.relative(&build(&listener(certificates)).unwrap_err().to_string())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
