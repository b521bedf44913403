/// Declares the names that Weir itself looks at, so that a look-up in a list compares one byte.
macro_rules! field_names {
    ($($variant:ident $text:literal,)*) => {
        /// A field name that Weir looks at itself; any other is [`FieldName::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum FieldName {
            /// A name that Weir only passes on.
            Other,
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl FieldName {
            /// The name in lower case; empty for `Other`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    FieldName::Other => "",
                    $(FieldName::$variant => $text,)*
                }
            }

            pub(super) const ALL: &'static [FieldName] = &[$(FieldName::$variant,)*];

            const TEXTS: &'static [&'static str] = &[$($text,)*];
        }
    };
}

field_names! {
    Accept "accept",
    AcceptEncoding "accept-encoding",
    AcceptLanguage "accept-language",
    Age "age",
    Authorization "authorization",
    CacheControl "cache-control",
    CacheStatus "cache-status",
    CdnCacheControl "cdn-cache-control",
    Connection "connection",
    ContentEncoding "content-encoding",
    ContentLength "content-length",
    ContentLocation "content-location",
    ContentRange "content-range",
    ContentType "content-type",
    Cookie "cookie",
    Date "date",
    ETag "etag",
    Expect "expect",
    Expires "expires",
    Forwarded "forwarded",
    GrpcTimeout "grpc-timeout",
    Host "host",
    Http2Settings "http2-settings",
    IfMatch "if-match",
    IfModifiedSince "if-modified-since",
    IfNoneMatch "if-none-match",
    IfRange "if-range",
    IfUnmodifiedSince "if-unmodified-since",
    KeepAlive "keep-alive",
    LastModified "last-modified",
    Location "location",
    MaxForwards "max-forwards",
    Origin "origin",
    Pragma "pragma",
    Priority "priority",
    ProxyAuthenticate "proxy-authenticate",
    ProxyAuthenticationInfo "proxy-authentication-info",
    ProxyAuthorization "proxy-authorization",
    ProxyConnection "proxy-connection",
    Range "range",
    Referer "referer",
    RetryAfter "retry-after",
    SecWebSocketAccept "sec-websocket-accept",
    SecWebSocketKey "sec-websocket-key",
    SecWebSocketVersion "sec-websocket-version",
    Server "server",
    SetCookie "set-cookie",
    Te "te",
    Trailer "trailer",
    TransferEncoding "transfer-encoding",
    Upgrade "upgrade",
    UserAgent "user-agent",
    Vary "vary",
    Via "via",
    WeirCacheControl "weir-cache-control",
    XClientSubject "x-client-subject",
    XForwardedFor "x-forwarded-for",
    XForwardedHost "x-forwarded-host",
    XForwardedPort "x-forwarded-port",
    XForwardedProto "x-forwarded-proto",
    XRequestId "x-request-id",
}

impl FieldName {
    /// The known name equal to `name`, case-insensitively, or `Other`: one multiplication and one compare.
    #[must_use]
    pub fn of(name: &[u8]) -> FieldName {
        if name.is_empty() {
            return FieldName::Other;
        }
        let candidate = SLOTS[slot(name, SEED)];
        if is_same(name, candidate.as_str().as_bytes()) { candidate } else { FieldName::Other }
    }
}

/// Whether `name` is `known`, whose letters are lower case, in any case: eight bytes at a time, the last eight once more.
fn is_same(name: &[u8], known: &[u8]) -> bool {
    if name.len() != known.len() {
        return false;
    }
    let (Some((name_end, known_end)), (name_words, _), (known_words, _)) =
        (name.last_chunk().zip(known.last_chunk()), name.as_chunks::<8>(), known.as_chunks::<8>())
    else {
        return name.eq_ignore_ascii_case(known);
    };
    name_words.iter().zip(known_words).all(|(name, known)| is_same_word(*name, *known))
        && is_same_word(*name_end, *known_end)
}

/// Of the bytes of names letters alone have the bit 0x40, and 0x20 where they are lower case.
fn is_same_word(name: [u8; 8], known: [u8; 8]) -> bool {
    let (name, known) = (u64::from_le_bytes(name), u64::from_le_bytes(known));
    let letters = (known & 0x4040_4040_4040_4040) >> 1;
    name | letters == known
}

/// Where the only known name that `name`, not empty, can be would stand: by its length and four of its bytes. Two known
/// names alike in these would stop the build, since no [`SEED`] parts them.
const fn slot(name: &[u8], seed: u32) -> usize {
    let len = name.len();
    // Bit 5 folds the case of letters; what else it folds, the final compare tells apart.
    let bytes = [name[0] | 32, name[len / 2] | 32, name[len * 3 / 4] | 32, name[len - 1] | 32];
    let key = u32::from_le_bytes(bytes) ^ (len as u32).wrapping_mul(0x9e37_79b1);
    (key.wrapping_mul(seed) >> (u32::BITS - SLOT_BITS)) as usize
}

const SLOT_BITS: u32 = 10;

/// The first multiplier by which no two known names share a slot.
const SEED: u32 = {
    let mut seed = 0x85eb_ca6b;
    while !separates(seed) {
        seed += 2;
    }
    seed
};

const fn separates(seed: u32) -> bool {
    let mut taken = [false; 1 << SLOT_BITS];
    let mut at = 0;
    while at < FieldName::TEXTS.len() {
        let slot = slot(FieldName::TEXTS[at].as_bytes(), seed);
        if taken[slot] {
            return false;
        }
        taken[slot] = true;
        at += 1;
    }
    true
}

static SLOTS: [FieldName; 1 << SLOT_BITS] = {
    let mut slots = [FieldName::Other; 1 << SLOT_BITS];
    let mut at = 0;
    while at < FieldName::ALL.len() {
        slots[slot(FieldName::TEXTS[at].as_bytes(), SEED)] = FieldName::ALL[at];
        at += 1;
    }
    slots
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for &name in FieldName::ALL {
            assert_eq!(FieldName::of(name.as_str().as_bytes()), name);
            assert_eq!(FieldName::of(name.as_str().to_uppercase().as_bytes()), name);
        }
        assert_eq!(FieldName::of(b"x-unknown"), FieldName::Other);
        assert_eq!(FieldName::of(b""), FieldName::Other);
    }

    #[test]
    fn a_name_that_only_resembles_a_known_one_is_another() {
        for &name in FieldName::ALL {
            let text = name.as_str().as_bytes();
            for at in 0..text.len() {
                let mut near = text.to_vec();
                near[at] = b'_';
                assert_eq!(FieldName::of(&near), FieldName::Other);
                assert_ne!(FieldName::of(&text[..at]), name);
            }
        }
    }
}
