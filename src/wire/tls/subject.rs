use rustls::ServerConnection;
use std::fmt::Write;
use x509_parser::der_parser::asn1_rs::ToDer;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

/// Bytes of a subject that is passed on; a field has to carry it.
const SUBJECT_BYTES_MAX: usize = 4096;

/// The subject of the certificate that a client has shown and proven, as in RFC 4514: `CN=ada,OU=ops,O=Shop`.
///
/// Only printable ASCII, so that it can stand in a field: other bytes are escaped as `\C3`. None without a
/// certificate, and for a subject of more than 4 KiB, which is never cut: a part of a name is another name.
#[must_use]
pub fn client_subject(connection: &ServerConnection) -> Option<String> {
    let leaf = connection.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    Some(render(certificate.subject())).filter(|subject| subject.len() <= SUBJECT_BYTES_MAX)
}

/// RFC 4514 §2.1: the last relative name first.
fn render(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    let relative_names: Vec<_> = name.iter_rdn().collect();
    for relative_name in relative_names.into_iter().rev() {
        for (at, attribute) in relative_name.iter().enumerate() {
            match (at, out.is_empty()) {
                (0, true) => {}
                (0, false) => out.push(','),
                _ => out.push('+'),
            }
            render_attribute(attribute, &mut out);
        }
    }
    out
}

fn render_attribute(attribute: &AttributeTypeAndValue<'_>, out: &mut String) {
    let oid = attribute.attr_type().to_id_string();
    let known = TYPES.iter().find(|(known, _)| *known == oid);
    match (known, attribute.as_str()) {
        (Some((_, name)), Ok(text)) => {
            out.push_str(name);
            out.push('=');
            escape(text, out);
        }
        // RFC 4514 §2.4: what has no name or no string form is given as its BER.
        _ => {
            out.push_str(known.map_or(&oid, |(_, name)| *name));
            out.push_str("=#");
            for byte in attribute.attr_value().to_der_vec().unwrap_or_default() {
                hex(byte, out);
            }
        }
    }
}

/// RFC 4514 §2.4, and every byte that is not printable ASCII.
fn escape(text: &str, out: &mut String) {
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' ' | b'#' if at == 0 => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' ' if at == last => out.push_str("\\ "),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => {
                out.push('\\');
                hex(byte, out);
            }
        }
    }
}

fn hex(byte: u8, out: &mut String) {
    write!(out, "{byte:02X}").expect("a String takes any text");
}

/// RFC 4514 §3, and the e-mail address that many authorities still put in.
const TYPES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::string::BmpString;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    fn subject(parts: &[(DnType, DnValue)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        render(parsed.subject())
    }

    fn common_name(text: &str) -> String {
        subject(&[(DnType::CommonName, text.into())])
    }

    #[test]
    fn the_most_specific_name_comes_first() {
        let parts = [
            (DnType::CountryName, "DE".into()),
            (DnType::OrganizationName, "Shop".into()),
            (DnType::CommonName, "ada".into()),
        ];
        assert_eq!(subject(&parts), "CN=ada,O=Shop,C=DE");
    }

    #[test]
    fn what_has_a_meaning_in_a_name_is_escaped() {
        assert_eq!(common_name("a,O=b+c\\\"<>;"), r#"CN=a\,O=b\+c\\\"\<\>\;"#);
        assert_eq!(common_name(" #a# "), r"CN=\ #a#\ ");
        assert_eq!(common_name("#a"), r"CN=\#a");
    }

    #[test]
    fn what_a_field_cannot_carry_is_escaped() {
        assert_eq!(common_name("a\r\nx-admin: 1\0"), r"CN=a\0D\0Ax-admin: 1\00");
        assert_eq!(common_name("Zoë"), r"CN=Zo\C3\AB");
    }

    #[test]
    fn an_unknown_attribute_is_given_as_its_number_and_bytes() {
        assert_eq!(subject(&[(DnType::CustomDnType(vec![1, 2, 3]), "a".into())]), "1.2.3=#0C0161");
    }

    #[test]
    fn a_string_in_utf_16_is_given_as_its_bytes() {
        let text = DnValue::BmpString(BmpString::try_from("a").unwrap());
        assert_eq!(subject(&[(DnType::CommonName, text)]), "CN=#1E020061");
    }
}
