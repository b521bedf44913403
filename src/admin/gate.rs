//! Who may change what: `[admin] tokens`, and where a request comes from.

use super::job::said;
use crate::config::{Dialect, Interfaces, SecretSum, Token};
use crate::live::Who;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A unix socket, which is for the user only that this process runs as.
    Socket,
    /// This machine.
    Near,
    /// Elsewhere.
    Far,
}

/// The tokens that there are, and what is spoken beside the listener's own interface.
#[derive(Debug, Default)]
pub struct Gate {
    tokens: Vec<Token>,
    interfaces: Interfaces,
}

/// Why somebody may not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// 401: he does not say who he is.
    Nameless,
    /// 401: nobody has that token.
    Unknown,
    /// 403: he may not, and why.
    Forbidden(String),
}

impl Gate {
    /// One for these.
    #[must_use]
    pub fn new(tokens: Vec<Token>, interfaces: Interfaces) -> Gate {
        Gate { tokens, interfaces }
    }

    /// Whether the interface of that registry is served.
    pub(super) fn speaks(&self, dialect: Dialect) -> bool {
        self.interfaces.speaks.contains(&dialect)
    }

    /// Whether a request that changes the process may. Once there is an operator's token, it is needed; until then whoever
    /// may use this machine's loopback may ask, but no page in a browser on it. Over a unix socket, that is enough.
    pub(super) fn may_change(&self, fields: &HeaderMap, peer: Peer) -> Result<(), Barred> {
        let forbidden = |why: &str| Err(Barred::Forbidden(why.to_owned()));
        let by_token = peer != Peer::Socket && self.has_operator();
        if by_token {
            self.operator(fields)?;
        }
        // Browsers ask first before they send that content type elsewhere.
        let by_browser = is_by_browser(fields);
        match () {
            () if !by_token && peer == Peer::Far => {
                forbidden("this is asked over the loopback or a unix socket only, as no operator has a token")
            }
            () if !by_token && by_browser => forbidden(BROWSER),
            () if !is_json(fields) => forbidden("send content-type: application/json"),
            () => Ok(()),
        }
    }

    /// Whether a request may see what is not for everybody: as [`may_change`](Self::may_change).
    pub(super) fn may_see(&self, fields: &HeaderMap, peer: Peer) -> Result<(), Barred> {
        match peer {
            Peer::Socket => Ok(()),
            _ if self.has_operator() => self.operator(fields).map(drop),
            Peer::Near => Ok(()),
            Peer::Far => Err(Barred::Forbidden("this is asked over the loopback or a unix socket only".into())),
        }
    }

    /// Who asks; over TCP only by a token.
    pub(super) fn who(&self, fields: &HeaderMap, peer: Peer) -> Result<Who<'_>, Barred> {
        match peer {
            Peer::Socket => Ok(Who::Socket),
            Peer::Near | Peer::Far => self.token(fields).map(Who::Token),
        }
    }

    /// Who asks through the interface of another registry, whose clients send the secret in their own way, or have none to send:
    /// then, from this machine, he may count as the holder of a token.
    pub(super) fn who_else(&self, secret: Option<&[u8]>, fields: &HeaderMap, peer: Peer) -> Result<Who<'_>, Barred> {
        if let Some(secret) = secret {
            return self.holder(secret).map(Who::Token).ok_or(Barred::Unknown);
        }
        let guest = self.tokens.iter().find(|token| Some(&token.name) == self.interfaces.loopback_as.as_ref());
        match guest {
            // Forms are sent by any page, without asking first.
            Some(_) if is_by_browser(fields) => Err(Barred::Forbidden(BROWSER.into())),
            Some(guest) if peer == Peer::Near && !fields.contains_key(header::AUTHORIZATION) => Ok(Who::Token(guest)),
            _ => self.who(fields, peer),
        }
    }

    /// Who has that secret. All are compared, so that the time does not tell which it was like.
    pub(super) fn holder(&self, secret: &[u8]) -> Option<&Token> {
        let sum = SecretSum::of(secret);
        self.tokens.iter().fold(None, |found, token| if token.secret.is(&sum) { Some(token) } else { found })
    }

    fn operator(&self, fields: &HeaderMap) -> Result<&Token, Barred> {
        let token = self.token(fields)?;
        match Who::Token(token).is_operator() {
            true => Ok(token),
            false => Err(Barred::Forbidden(format!(
                "the token {:?} is a {}'s, not an operator's",
                token.name,
                token.role.name()
            ))),
        }
    }

    /// The token that a request has (RFC 6750 §2.1).
    fn token(&self, fields: &HeaderMap) -> Result<&Token, Barred> {
        let value = fields.get(header::AUTHORIZATION).ok_or(Barred::Nameless)?;
        let (scheme, secret) = value.as_bytes().split_at_checked(BEARER.len()).ok_or(Barred::Unknown)?;
        if !scheme.eq_ignore_ascii_case(BEARER) {
            return Err(Barred::Unknown);
        }
        self.holder(secret.trim_ascii()).ok_or(Barred::Unknown)
    }

    fn has_operator(&self) -> bool {
        self.tokens.iter().any(|token| Who::Token(token).is_operator())
    }
}

impl Barred {
    /// In words.
    pub(super) fn why(&self) -> &str {
        match self {
            Barred::Nameless => NAMELESS,
            Barred::Unknown => UNKNOWN,
            Barred::Forbidden(why) => why,
        }
    }

    /// What he gets.
    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let (status, why, challenge) = match self {
            Barred::Nameless => (StatusCode::UNAUTHORIZED, NAMELESS, Some("Bearer realm=\"weir\"")),
            Barred::Unknown => {
                let challenge = "Bearer realm=\"weir\", error=\"invalid_token\"";
                (StatusCode::UNAUTHORIZED, UNKNOWN, Some(challenge))
            }
            Barred::Forbidden(why) => (StatusCode::FORBIDDEN, why.as_str(), None),
        };
        let mut response = said(status, &json!({ "applied": false, "error": why }));
        if let Some(challenge) = challenge {
            // RFC 9110 §15.5.2: a 401 says what is wanted.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// Fetch: browsers add these to every POST.
fn is_by_browser(fields: &HeaderMap) -> bool {
    fields.contains_key(header::ORIGIN) || fields.contains_key("sec-fetch-site")
}

fn is_json(fields: &HeaderMap) -> bool {
    fields.get(header::CONTENT_TYPE).is_some_and(|value| {
        let essence = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
    })
}

const BEARER: &[u8] = b"Bearer ";

const UNKNOWN: &str = "nobody has that token";

const BROWSER: &str = "this is not asked by a page in a browser";

const NAMELESS: &str = "this needs a token: send Authorization: Bearer SECRET, of one of [admin] tokens";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    fn gate(roles: &[(&str, Role)]) -> Gate {
        let token = |(name, role): &(&str, Role)| Token {
            name: (*name).into(),
            role: *role,
            secret: SecretSum::of(format!("{name}-secret").as_bytes()),
            networks: Token::networks_default(),
        };
        Gate::new(roles.iter().map(token).collect(), Interfaces::default())
    }

    fn fields(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn json(authorization: &str) -> HeaderMap {
        let mut all = fields(&[("content-type", "application/json; charset=utf-8")]);
        if !authorization.is_empty() {
            all.insert("authorization", authorization.parse().unwrap());
        }
        all
    }

    #[test]
    fn without_an_operators_token_the_loopback_is_enough_but_for_browsers() {
        let open = gate(&[("workers", Role::Registrar)]);
        assert_eq!(open.may_change(&json(""), Peer::Near), Ok(()));
        assert!(matches!(open.may_change(&json(""), Peer::Far), Err(Barred::Forbidden(_))));
        let page = fields(&[("content-type", "application/json"), ("origin", "http://127.0.0.1")]);
        for peer in [Peer::Near, Peer::Socket] {
            assert!(matches!(open.may_change(&page, peer), Err(Barred::Forbidden(_))));
            assert!(matches!(open.may_change(&fields(&[]), peer), Err(Barred::Forbidden(_))));
        }
        assert_eq!(
            (open.may_see(&fields(&[]), Peer::Near), open.may_see(&fields(&[]), Peer::Far).is_ok()),
            (Ok(()), false)
        );
    }

    #[test]
    fn with_one_it_is_needed_from_everywhere_but_a_unix_socket() {
        let shut = gate(&[("workers", Role::Registrar), ("ops", Role::Operator)]);
        for peer in [Peer::Near, Peer::Far] {
            assert_eq!(shut.may_change(&json(""), peer), Err(Barred::Nameless));
            assert_eq!(shut.may_change(&json("Bearer other"), peer), Err(Barred::Unknown));
            assert!(matches!(shut.may_change(&json("Bearer workers-secret"), peer), Err(Barred::Forbidden(_))));
            assert_eq!(shut.may_change(&json("Bearer ops-secret"), peer), Ok(()));
            assert_eq!(shut.may_see(&fields(&[]), peer), Err(Barred::Nameless));
            assert_eq!(shut.may_see(&json("bearer  ops-secret"), peer), Ok(()));
        }
        assert_eq!(shut.may_change(&json(""), Peer::Socket), Ok(()));
    }

    #[test]
    fn whoever_registers_over_tcp_needs_a_token_always() {
        let gate = gate(&[("workers", Role::Registrar)]);
        let who = |authorization: &str, peer| gate.who(&json(authorization), peer).map(|who| who.name().to_owned());
        assert_eq!(who("Bearer workers-secret", Peer::Far), Ok("workers".into()));
        assert_eq!(who("", Peer::Near), Err(Barred::Nameless));
        for wrong in
            ["Bearer", "Bearer ", "Basic d29ya2Vycy1zZWNyZXQ=", "Bearer workers-secre", "workers-secret", "Bearer é"]
        {
            assert_eq!(who(wrong, Peer::Near), Err(Barred::Unknown), "{wrong}");
        }
        assert_eq!(who("", Peer::Socket), Ok("unix".into()));
        assert_eq!(Gate::default().who(&json("Bearer workers-secret"), Peer::Near).unwrap_err(), Barred::Unknown);
    }
}
