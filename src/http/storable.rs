//! Whether a response may be stored by a shared cache (RFC 9111 §3).

use super::freshness::is_heuristic;
use super::vary::VARY_NAMES_MAX;
use super::{FieldName, Fields, Method, Qualified, RequestDirectives, ResponseDirectives};

/// What is known of a request when its response comes.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// What it says to caches.
    pub directives: RequestDirectives,
    /// It has Authorization.
    pub authorized: bool,
    /// It asked for a range.
    pub ranged: bool,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// A freshness for this status stands in the configuration.
    pub ttl: bool,
    /// Responses with Set-Cookie may be stored.
    pub set_cookie: bool,
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unstorable {
    /// By its method (RFC 9111 §3).
    Method,
    /// A status that is not known, or one that must be understood and is not.
    Status,
    /// `no-store`, on either side.
    NoStore,
    /// `private`
    Private,
    /// The request had Authorization, and nothing allows it (RFC 9111 §3.5).
    Authorization,
    /// It sets a cookie, which is for one client.
    SetCookie,
    /// `Vary: *`, which would never match (RFC 9111 §4.1), or one that names too many fields.
    VaryAll,
    /// Nothing says how long it is fresh, and there is nothing to validate it with.
    NoFreshness,
    /// Partial content that is not understood.
    Partial,
    /// Its content is larger than the operator allows, or than there is ever room for.
    TooLarge,
    /// It is large, and would push out others for one who asks for the first time.
    AskedOnce,
}

impl Unstorable {
    /// All of them, in the order of declaration.
    pub const ALL: &'static [Unstorable] = &[
        Unstorable::Method,
        Unstorable::Status,
        Unstorable::NoStore,
        Unstorable::Private,
        Unstorable::Authorization,
        Unstorable::SetCookie,
        Unstorable::VaryAll,
        Unstorable::NoFreshness,
        Unstorable::Partial,
        Unstorable::TooLarge,
        Unstorable::AskedOnce,
    ];

    /// What it means, for references.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Unstorable::Method => "By its method.",
            Unstorable::Status => "Its status is not known, or must be understood and is not.",
            Unstorable::NoStore => "`no-store`, on either side.",
            Unstorable::Private => "`private`.",
            Unstorable::Authorization => "The request had Authorization, and nothing allows it.",
            Unstorable::SetCookie => "It sets a cookie.",
            Unstorable::VaryAll => "Its `Vary` would match nobody, or only this client.",
            Unstorable::NoFreshness => "Nothing says how long it is fresh, and there is nothing to validate it with.",
            Unstorable::Partial => "Partial content that is not understood.",
            Unstorable::TooLarge => "Its content is larger than `max_object`, or than any tier has room for.",
            Unstorable::AskedOnce => "It is large, memory is full, and it was not asked for before.",
        }
    }

    /// As it stands in Cache-Status and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Unstorable::Method => "method",
            Unstorable::Status => "status",
            Unstorable::NoStore => "no-store",
            Unstorable::Private => "private",
            Unstorable::Authorization => "authorization",
            Unstorable::SetCookie => "set-cookie",
            Unstorable::VaryAll => "vary",
            Unstorable::NoFreshness => "no-freshness",
            Unstorable::Partial => "partial",
            Unstorable::TooLarge => "too-large",
            Unstorable::AskedOnce => "asked-once",
        }
    }
}

/// RFC 9111 §3: whether the response to `asked` may be stored.
///
/// # Errors
/// Why not.
pub fn storable(
    asked: &Asked<'_>,
    status: u16,
    fields: &Fields,
    directives: &ResponseDirectives,
    allowed: Allowed,
) -> Result<(), Unstorable> {
    let explicit = directives.s_maxage.is_some()
        || directives.max_age.is_some()
        || (!directives.targeted && fields.has(FieldName::Expires));
    match asked.method {
        Method::Get => {}
        // RFC 9110 §9.3.3: for later GETs, with explicit freshness and a Content-Location that is the target (the caller's).
        Method::Post if explicit && status == 200 && fields.has(FieldName::ContentLocation) => {}
        _ => return Err(Unstorable::Method),
    }
    if !(200..=599).contains(&status) || status == 304 {
        return Err(Unstorable::Status);
    }
    if status == 206 && !asked.ranged {
        return Err(Unstorable::Partial);
    }
    // RFC 9111 §5.2.2.3: if present and understood, no-store is not heeded.
    let understood = directives.must_understand && is_understood(status);
    if directives.must_understand && !understood {
        return Err(Unstorable::Status);
    }
    if (directives.no_store && !understood) || asked.directives.no_store {
        return Err(Unstorable::NoStore);
    }
    if directives.private == Qualified::All {
        return Err(Unstorable::Private);
    }
    // RFC 9111 §3.5
    let shared = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if asked.authorized && !shared {
        return Err(Unstorable::Authorization);
    }
    if fields.has(FieldName::SetCookie) && !allowed.set_cookie && !withholds_cookies(directives) {
        return Err(Unstorable::SetCookie);
    }
    // What is beyond the bound would not be compared: a response for one client would be given to another.
    if fields.members(FieldName::Vary).enumerate().any(|(at, member)| member == b"*" || at >= VARY_NAMES_MAX) {
        return Err(Unstorable::VaryAll);
    }
    if explicit || directives.public || is_heuristic(status) || allowed.ttl {
        Ok(())
    } else {
        Err(Unstorable::NoFreshness)
    }
}

/// The stored response has no Set-Cookie, by the word of its origin.
fn withholds_cookies(directives: &ResponseDirectives) -> bool {
    let named = directives.private.fields().iter().chain(directives.no_cache.fields());
    named.into_iter().any(|name| name.eq_ignore_ascii_case(b"set-cookie"))
}

/// Statuses whose caching requirements Weir follows (RFC 9110 §15): the ones that it knows.
fn is_understood(status: u16) -> bool {
    is_heuristic(status)
        || matches!(status, 201..=205 | 300..=303 | 307 | 308 | 400..=417 | 421 | 422 | 425 | 426 | 429 | 451 | 500..=505)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(request: &str, authorized: bool, status: u16, lines: &[(&str, &str)]) -> Result<(), Unstorable> {
        let mut asked = Fields::default();
        asked.push(b"cache-control", request.as_bytes());
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        let directives = RequestDirectives::of(&asked);
        let asked = Asked { method: &Method::Get, directives, authorized, ranged: false };
        storable(&asked, status, &fields, &ResponseDirectives::of(&fields), Allowed::default())
    }

    #[test]
    fn each_rule_of_section_3_refuses_what_it_should() {
        let cc = |text| ("cache-control", text);
        for (request, authorized, status, lines, expected) in [
            ("", false, 200, &[cc("max-age=1")][..], Ok(())),
            ("", false, 599, &[cc("max-age=1")], Ok(())),
            ("", false, 599, &[cc("public")], Ok(())),
            ("", false, 200, &[], Ok(())),
            ("", false, 201, &[], Err(Unstorable::NoFreshness)),
            ("", false, 201, &[("expires", "0")], Ok(())),
            ("", false, 304, &[cc("max-age=1")], Err(Unstorable::Status)),
            ("", false, 206, &[cc("max-age=1")], Err(Unstorable::Partial)),
            ("no-store", false, 200, &[cc("max-age=1")], Err(Unstorable::NoStore)),
            ("", false, 200, &[cc("max-age=1, no-store")], Err(Unstorable::NoStore)),
            ("", false, 200, &[cc("max-age=1, no-store, must-understand")], Ok(())),
            ("", false, 599, &[cc("max-age=1, no-store, must-understand")], Err(Unstorable::Status)),
            ("", false, 200, &[cc("private, max-age=1")], Err(Unstorable::Private)),
            ("", false, 200, &[cc("private=\"x\", max-age=1")], Ok(())),
            ("", true, 200, &[cc("max-age=1")], Err(Unstorable::Authorization)),
            ("", true, 200, &[cc("max-age=1, public")], Ok(())),
            ("", true, 200, &[cc("max-age=1, must-revalidate")], Ok(())),
            ("", true, 200, &[cc("s-maxage=1")], Ok(())),
            ("", false, 200, &[cc("max-age=1"), ("set-cookie", "a=b")], Err(Unstorable::SetCookie)),
            ("", false, 200, &[cc("max-age=1, no-cache=\"Set-Cookie\""), ("set-cookie", "a=b")], Ok(())),
            ("", false, 200, &[cc("max-age=1"), ("vary", "a, *")], Err(Unstorable::VaryAll)),
            ("", false, 200, &[cc("max-age=1"), ("vary", &"a,".repeat(VARY_NAMES_MAX + 1))], Err(Unstorable::VaryAll)),
            ("", false, 200, &[cc("no-store"), ("cdn-cache-control", "max-age=1")], Ok(())),
        ] {
            assert_eq!(
                verdict(request, authorized, status, lines),
                expected,
                "{request} {authorized} {status} {lines:?}"
            );
        }
    }
}
