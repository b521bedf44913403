use super::fields::name_set;
use super::{FieldName, Fields};

/// A Connection field lists more than [`OPTIONS_MAX`] options: 400 to a client, 502 from a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyOptions;

/// Removes what is meant for one connection only, from a head or trailers (RFC 9110 §7.6.1).
///
/// Gone are Connection and what it names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade, HTTP2-Settings,
/// and Proxy-Authenticate, -Authorization and -Authentication-Info, which end at the next proxy (§11.7), and for a
/// client we are the origin. Trailer stays, as trailers are passed on. Whoever still needs `TE: trailers` or Upgrade
/// reads them before.
///
/// Connection cannot remove a field that Weir itself knows to be end-to-end (Authorization, Cookie, X-Forwarded-For, …):
/// senders MUST NOT name those (§7.6.1), and doing it nevertheless is a way to make a backend forget who asks. What Weir
/// adds to a message is added after this.
///
/// # Errors
/// [`TooManyOptions`]; `fields` is then to be thrown away.
pub fn strip_hop_by_hop(fields: &mut Fields) -> Result<(), TooManyOptions> {
    if fields.has(FieldName::Connection) && fields.remove_listed(FieldName::Connection, OPTIONS_MAX).is_err() {
        return Err(TooManyOptions);
    }
    if fields.may_have(HOP_BY_HOP) {
        fields.retain(|name, _, _| !is_hop_by_hop(name));
    }
    Ok(())
}

/// Whether a field of that name concerns one connection only.
#[must_use]
pub fn is_hop_by_hop(name: FieldName) -> bool {
    name_set(&[name]) & HOP_BY_HOP != 0
}

const HOP_BY_HOP: u64 = name_set(&[
    FieldName::Connection,
    FieldName::KeepAlive,
    FieldName::ProxyConnection,
    FieldName::Te,
    FieldName::TransferEncoding,
    FieldName::Upgrade,
    FieldName::Http2Settings,
    FieldName::ProxyAuthenticate,
    FieldName::ProxyAuthorization,
    FieldName::ProxyAuthenticationInfo,
]);

/// Connection options in one message; each costs a look at all fields.
pub const OPTIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(lines: &[(&str, &str)]) -> Vec<String> {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        strip_hop_by_hop(&mut fields).unwrap();
        fields.iter().map(|(_, name, _)| String::from_utf8(name.to_vec()).unwrap()).collect()
    }

    #[test]
    fn what_connection_names_goes_with_it() {
        let lines = [("A", "1"), ("Connection", "x-b ,close"), ("X-B", "2"), ("connection", "X-C"), ("x-c", "3")];
        assert_eq!(stripped(&lines), ["A"]);
    }

    #[test]
    fn fields_of_one_connection_go_unnamed_and_trailer_stays() {
        let names = ["TE", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Proxy-Authorization"];
        let mut lines: Vec<_> = names.iter().map(|name| (*name, "x")).collect();
        lines.push(("Trailer", "x-sum"));
        assert_eq!(stripped(&lines), ["Trailer"]);
    }

    #[test]
    fn connection_cannot_take_away_who_asks() {
        let kept = ["Cookie", "Authorization", "X-Forwarded-For", "Via", "Content-Length", "X-Request-ID"];
        let mut lines: Vec<_> = kept.iter().map(|name| (*name, "x")).collect();
        lines.push(("Connection", "cookie, authorization, X-Forwarded-For, via, content-length, x-request-id, host"));
        assert_eq!(stripped(&lines), kept);
    }

    #[test]
    fn a_flood_of_options_is_refused() {
        let mut fields = Fields::default();
        fields.push(b"Connection", "a,".repeat(OPTIONS_MAX).as_bytes());
        assert_eq!(strip_hop_by_hop(&mut fields.clone()), Ok(()));
        fields.push(b"Connection", b"b");
        assert_eq!(strip_hop_by_hop(&mut fields), Err(TooManyOptions));
    }
}
