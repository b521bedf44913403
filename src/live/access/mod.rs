//! What runs of `[access.NAME]`.

mod hashing;
mod keys;

pub use hashing::{Hashing, Turn};
pub use keys::{HeldKeys, KeyRing};

use crate::access::jwt::{Keys, KeysFault, Verified};
use crate::access::{List, Own, Passwords, Recent};
use crate::config::{self, Access, Config, KeySource, Proof};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{AccessLook, AccessMetrics};
use aws_lc_rs::hmac;
use std::sync::Arc;
use std::time::Duration;

/// One access, ready to judge.
pub struct LiveAccess {
    /// Its name.
    pub name: String,
    /// Its counters.
    pub metrics: AccessMetrics,
    /// Networks.
    pub list: List,
    /// How clients prove who they are.
    pub proof: Option<LiveProof>,
    /// Who is asked each time.
    pub ask: Option<LiveAsk>,
    /// The fields by which backends are told, by this access.
    pub own: Own,
    config: Access,
}

/// How clients prove who they are.
#[derive(Clone)]
pub enum LiveProof {
    /// By name and password.
    Basic(Arc<LiveBasic>),
    /// By a token.
    Jwt(Arc<LiveJwt>),
}

/// Passwords, and what was found out about them a moment ago.
pub struct LiveBasic {
    /// What the configuration says.
    pub config: config::Basic,
    /// The users.
    pub passwords: Passwords,
    /// Who gave the right password.
    pub recent: Recent<()>,
    challenge: String,
}

/// Tokens, and what was found out about them a moment ago.
pub struct LiveJwt {
    /// What the configuration says.
    pub config: config::Jwt,
    /// The keys.
    pub keys: KeyState,
    /// Tokens that are right.
    pub recent: Recent<Arc<Known>>,
    /// Makes the tags of tokens.
    pub secret: hmac::Key,
    missing: String,
    wrong: String,
}

/// What a token proved, with which keys.
#[derive(Debug)]
pub struct Known {
    /// Which keys: [`HeldKeys::version`].
    pub version: u64,
    /// What it proved.
    pub verified: Verified,
}

/// Where keys are.
pub enum KeyState {
    /// They came with the configuration.
    Fixed(Arc<HeldKeys>),
    /// They are fetched.
    Fetched(Arc<KeyRing>),
}

/// Who is asked each time.
pub struct LiveAsk {
    /// What the configuration says.
    pub config: config::AskAccess,
    /// The subrequest's own route: none of the edits and bounds of the request's.
    pub route: config::Route,
}

impl LiveAccess {
    /// Makes all of them ready, with what `before` knew of those that are the same.
    ///
    /// # Errors
    /// The keys of one are not to be used: where that is said, and why.
    pub fn build_all(
        config: &Config,
        metrics: &Metrics,
        before: &[LiveAccess],
    ) -> Result<Vec<LiveAccess>, (String, KeysFault)> {
        config.accesses.iter().map(|access| LiveAccess::build(access, metrics, before)).collect()
    }

    fn build(access: &Access, metrics: &Metrics, before: &[LiveAccess]) -> Result<LiveAccess, (String, KeysFault)> {
        let same = before.iter().find(|it| it.config.proof == access.proof && it.name == access.name);
        let proof = match (&access.proof, same.and_then(|it| it.proof.clone())) {
            (_, Some(known)) => Some(known),
            (None, None) => None,
            (Some(Proof::Basic(basic)), None) => Some(LiveProof::Basic(Arc::new(LiveBasic::build(basic)))),
            (Some(Proof::Jwt(jwt)), None) => {
                let jwt = LiveJwt::build(access, jwt, before).map_err(|fault| (place(access, jwt), fault))?;
                Some(LiveProof::Jwt(Arc::new(jwt)))
            }
        };
        Ok(LiveAccess {
            name: access.name.clone(),
            metrics: metrics.access(&access.name),
            list: List::build(&access.allow, &access.deny),
            proof,
            ask: access.ask.as_ref().map(|ask| LiveAsk { config: ask.clone(), route: asking_route(access, ask) }),
            own: Own::of(access.own_fields()),
            config: access.clone(),
        })
    }

    /// The challenge for a client that gave nothing, or something wrong (RFC 9110 §11.6.1).
    #[must_use]
    pub fn challenge(&self, wrong: bool) -> Option<&str> {
        match (self.proof.as_ref()?, wrong) {
            (LiveProof::Basic(basic), _) => Some(&basic.challenge),
            (LiveProof::Jwt(jwt), false) => Some(&jwt.missing),
            (LiveProof::Jwt(jwt), true) => Some(&jwt.wrong),
        }
    }

    /// Whether what a backend answers may depend on who asks.
    #[must_use]
    pub fn knows_who_asks(&self) -> bool {
        self.proof.is_some() || self.ask.is_some()
    }

    /// The keys that are fetched, where they are.
    #[must_use]
    pub fn ring(&self) -> Option<&Arc<KeyRing>> {
        match self.proof.as_ref()? {
            LiveProof::Jwt(jwt) => jwt.keys.ring(),
            LiveProof::Basic(_) => None,
        }
    }

    /// How it is at `now`, where keys are fetched.
    #[must_use]
    pub fn look(&self, now: Duration) -> Option<AccessLook> {
        let ring = self.ring()?;
        let held = ring.held();
        Some(AccessLook {
            access: self.name.clone(),
            keys: held.as_ref().map_or(0, |held| held.keys.len()),
            age: held.map(|held| now.saturating_sub(held.since)),
            why: ring.why(),
        })
    }
}

impl LiveBasic {
    fn build(basic: &config::Basic) -> LiveBasic {
        LiveBasic {
            passwords: Passwords::build(&basic.users, &random()),
            recent: Recent::default(),
            // RFC 7617 §2.1
            challenge: format!("Basic realm=\"{}\", charset=\"UTF-8\"", basic.realm),
            config: basic.clone(),
        }
    }
}

impl LiveJwt {
    fn build(access: &Access, jwt: &config::Jwt, before: &[LiveAccess]) -> Result<LiveJwt, KeysFault> {
        let keys = match &jwt.keys {
            KeySource::File { text, .. } => {
                KeyState::Fixed(Arc::new(HeldKeys::new(Keys::parse(text, &jwt.algorithms)?, Duration::ZERO)))
            }
            KeySource::Url(url) => {
                // Whatever else changed, what was fetched is of use.
                let standing = before.iter().filter_map(LiveAccess::ring).find(|it| it.is_for(url, &jwt.algorithms));
                let ring = standing.cloned().unwrap_or_else(|| Arc::new(KeyRing::new(url, &jwt.algorithms)));
                KeyState::Fetched(ring)
            }
        };
        // RFC 6750 §3: nothing is said of an error to who gave no token.
        let missing = format!("Bearer realm=\"{}\"", access.name.replace(['"', '\\'], ""));
        Ok(LiveJwt {
            keys,
            recent: Recent::default(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &random()),
            wrong: format!("{missing}, error=\"invalid_token\""),
            missing,
            config: jwt.clone(),
        })
    }
}

impl KeyState {
    /// The keys now; none if they were never fetched.
    #[must_use]
    pub fn held(&self) -> Option<Arc<HeldKeys>> {
        match self {
            KeyState::Fixed(held) => Some(Arc::clone(held)),
            KeyState::Fetched(ring) => ring.held(),
        }
    }

    /// Where they are fetched.
    #[must_use]
    pub fn ring(&self) -> Option<&Arc<KeyRing>> {
        match self {
            KeyState::Fetched(ring) => Some(ring),
            KeyState::Fixed(_) => None,
        }
    }
}

/// The request fields that any access of the configuration tells backends by.
pub(super) fn own_of_all(config: &Config) -> Own {
    Own::of(config.accesses.iter().flat_map(Access::own_fields))
}

fn asking_route(access: &Access, ask: &config::AskAccess) -> config::Route {
    let mut route = config::Route::plain(access.place.clone(), access.name.clone(), config::Action::Pool(ask.pool));
    route.timeouts.first_byte = Some(ask.timeout);
    route.timeouts.idle = Some(ask.timeout);
    route
}

/// Where keys are said to be.
fn place(access: &Access, jwt: &config::Jwt) -> String {
    let at = &access.place;
    let file = match &jwt.keys {
        KeySource::File { path, .. } => path.display().to_string(),
        KeySource::Url(url) => url.to_string(),
    };
    format!("{}:{}: [access.{}] jwks {file}", at.file.display(), at.line, access.name)
}

/// Without the system's randomness tags are still those of a hash that nobody can turn round.
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    let _ = getrandom::fill(&mut bytes);
    bytes
}
