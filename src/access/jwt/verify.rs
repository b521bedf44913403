use super::claims::Claims;
use super::token::Token;
use super::{Fault, Keys};
use crate::config::Jwt;

/// What a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who it is: `sub`.
    pub user: Option<Box<str>>,
    /// Fields for the backend, in the order of the configuration.
    pub fields: Vec<(usize, Box<str>)>,
    /// In unix seconds: from then on it proves nothing.
    pub until: u64,
}

/// Verifies `text` by the rules of `jwt`; `now` in unix seconds.
///
/// # Errors
/// [`Fault`]: nobody is let in by it.
pub fn verify(text: &[u8], keys: &Keys, jwt: &Jwt, now: u64) -> Result<Verified, Fault> {
    let token = Token::parse(text)?;
    if !jwt.algorithms.contains(&token.algorithm) {
        return Err(Fault::Algorithm);
    }
    let mut candidates = keys.find(token.key.as_deref(), token.algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(Fault::UnknownKey);
    }
    if !candidates.any(|key| key.verify_sig(token.signed, &token.signature).is_ok()) {
        return Err(Fault::Signature);
    }
    let claims = Claims(token.claims()?);
    let until = claims.check(jwt, now)?;
    let mut fields = Vec::new();
    for (at, (_, claim)) in jwt.fields.iter().enumerate() {
        fields.extend(claims.text(claim)?.map(|text| (at, text.into_boxed_str())));
    }
    Ok(Verified { user: claims.subject().map(Into::into), fields, until })
}
