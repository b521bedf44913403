//! Who may use the route: after admission, before all else, so that nothing that is stored is given to who may not have it.

use super::ask::Told;
use super::attempts::Trail;
use super::serve::{Course, Scratch};
use super::{Downstream, Refusal};
use crate::access::jwt::{self, Fault, Verified};
use crate::access::{Credentials, Given, Tag, given};
use crate::http::FieldName;
use crate::live::{Known, LiveAccess, LiveBasic, LiveJwt, LiveProof};
use crate::telemetry::access::End;
use crate::telemetry::metrics::AccessVerdict;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// For how long what was verified is not verified again.
const RECENT: Duration = Duration::from_secs(300);
/// How long a request waits for a key that nobody knows yet.
const KEY_WAIT_MAX: Duration = Duration::from_secs(3);

/// Why a request goes no further.
pub(super) enum Turned {
    /// We say so.
    Away(Refusal, AccessVerdict),
    /// The backend that was asked says so.
    Told(Told),
}

/// What is to be done next, as far as that is known without waiting.
enum Step {
    Open,
    Turned(Turned),
    /// The password is to be checked.
    Hash(Credentials, Tag),
    /// The keys are fetched for it.
    Keys(watch::Receiver<u64>),
    /// All but the backend that is to be asked has agreed.
    Ask,
}

impl Course<'_> {
    /// What guards the route.
    pub(super) fn access(&self) -> Option<&LiveAccess> {
        let id = self.route.and_then(|(_, route)| route.access)?;
        Some(&self.held.generation.snapshot.accesses[id.0])
    }

    /// Lets the request through, changed as backends are told; or how its exchange ended.
    pub(super) async fn enter<D: Downstream>(
        &self,
        access: &LiveAccess,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Result<(), End> {
        let turned = match self.first_step(access, scratch) {
            Step::Open => Ok(()),
            Step::Turned(turned) => Err(turned),
            // Boxed: rare, or slow by itself.
            step => Box::pin(self.further_steps(access, step, scratch)).await,
        };
        let verdict = match &turned {
            Ok(()) => AccessVerdict::Granted,
            Err(Turned::Away(_, verdict)) => *verdict,
            Err(Turned::Told(_)) => AccessVerdict::Denied,
        };
        self.worker.metrics.accessed(&access.metrics, verdict);
        match turned {
            Ok(()) => Ok(()),
            Err(Turned::Away(refusal, _)) => Err(Box::pin(self.refuse(refusal, scratch, down, trail)).await),
            Err(Turned::Told(told)) => Err(Box::pin(self.pass_on(told, scratch, down, trail)).await),
        }
    }

    fn first_step(&self, access: &LiveAccess, scratch: &mut Scratch) -> Step {
        if !access.list.admits(self.who) {
            return away(Refusal::Forbidden, AccessVerdict::Network);
        }
        let fields = &mut scratch.request.fields;
        if access.own.is_named_by_connection(fields) {
            return away(Refusal::ConnectionOptions, AccessVerdict::Wrong);
        }
        // Of a peer that is trusted, too: on this route it is we who say.
        access.own.strip(fields);
        let step = match &access.proof {
            None => Step::Open,
            Some(LiveProof::Basic(basic)) => self.password(basic, scratch),
            Some(LiveProof::Jwt(jwt)) => self.token(jwt, scratch),
        };
        match step {
            Step::Open if access.ask.is_some() => Step::Ask,
            step => step,
        }
    }

    async fn further_steps(&self, access: &LiveAccess, step: Step, scratch: &mut Scratch) -> Result<(), Turned> {
        match (step, &access.proof) {
            (Step::Turned(turned), _) => return Err(turned),
            (Step::Hash(credentials, tag), Some(LiveProof::Basic(basic))) => {
                self.hash(basic, credentials, tag, scratch).await?;
            }
            (Step::Keys(ended), Some(LiveProof::Jwt(jwt))) => self.with_new_keys(jwt, ended, scratch).await?,
            _ => {}
        }
        match &access.ask {
            Some(ask) => self.consult(ask, scratch).await,
            None => Ok(()),
        }
    }

    fn password(&self, basic: &LiveBasic, scratch: &mut Scratch) -> Step {
        let credentials = match given(&scratch.request.fields) {
            Given::Nothing => return away(Refusal::Unauthenticated { wrong: false }, AccessVerdict::Missing),
            Given::Malformed => return away(Refusal::Unauthenticated { wrong: true }, AccessVerdict::Wrong),
            Given::Credentials(credentials) => credentials,
        };
        let tag = basic.passwords.tag(credentials.name(), credentials.password());
        if basic.recent.get(&tag, self.worker.clock.coarse()).is_none() {
            return Step::Hash(credentials, tag);
        }
        let_in(basic, credentials.name(), scratch);
        Step::Open
    }

    /// Checks a password on a thread that may take its time.
    async fn hash(
        &self,
        basic: &Arc<LiveBasic>,
        credentials: Credentials,
        tag: Tag,
        scratch: &mut Scratch,
    ) -> Result<(), Turned> {
        let Some(turn) = self.held.generation.snapshot.hashing.turn().await else {
            return Err(Turned::Away(Refusal::AccessBusy, AccessVerdict::Busy));
        };
        let now = self.worker.clock.coarse();
        // A browser asks for many things at once: another may have found out meanwhile.
        if basic.recent.get(&tag, now).is_some() {
            let_in(basic, credentials.name(), scratch);
            return Ok(());
        }
        let asked = Arc::clone(basic);
        let checking = move || {
            // Held for as long as the work takes, whoever still waits for it.
            let _turn = turn;
            asked.passwords.verify(credentials.name(), credentials.password()).then_some(credentials)
        };
        match tokio::task::spawn_blocking(checking).await {
            Ok(Some(credentials)) => {
                basic.recent.put(tag, (), now, now + RECENT);
                let_in(basic, credentials.name(), scratch);
                Ok(())
            }
            Ok(None) => Err(Turned::Away(Refusal::Unauthenticated { wrong: true }, AccessVerdict::Wrong)),
            Err(_) => Err(Turned::Away(Refusal::AccessUnknown, AccessVerdict::Failed)),
        }
    }

    fn token(&self, jwt: &LiveJwt, scratch: &mut Scratch) -> Step {
        match self.verified(jwt, scratch) {
            Ok(Some(known)) => {
                tell(jwt, &known.verified, scratch);
                Step::Open
            }
            Ok(None) => away(Refusal::AccessUnknown, AccessVerdict::Failed),
            Err(Fault::UnknownKey) => {
                let ended = jwt.keys.ring().and_then(|ring| ring.want(self.worker.clock.coarse()));
                ended.map_or_else(|| turned_by(Fault::UnknownKey), Step::Keys)
            }
            Err(fault) => turned_by(fault),
        }
    }

    /// What the request's token proves; none if there are no keys.
    fn verified(&self, jwt: &LiveJwt, scratch: &Scratch) -> Result<Option<Arc<Known>>, Fault> {
        let text = jwt::token(&scratch.request.fields, &jwt.config.from)?;
        let Some(held) = jwt.keys.held() else { return Ok(None) };
        let (now, unix) = (self.worker.clock.coarse(), self.worker.clock.date().unix());
        let tag = Tag::of(&jwt.secret, &[text]);
        let is_good = |known: &Arc<Known>| known.version == held.version && unix < known.verified.until;
        if let Some(known) = jwt.recent.get(&tag, now).filter(is_good) {
            return Ok(Some(known));
        }
        let verified = jwt::verify(text, &held.keys, &jwt.config, unix)?;
        let known = Arc::new(Known { version: held.version, verified });
        jwt.recent.put(tag, Arc::clone(&known), now, now + RECENT);
        Ok(Some(known))
    }

    /// Waits for keys that are being fetched, and looks again, once.
    async fn with_new_keys(
        &self,
        jwt: &LiveJwt,
        mut ended: watch::Receiver<u64>,
        scratch: &mut Scratch,
    ) -> Result<(), Turned> {
        // What becomes of it is seen by the keys.
        let _ = tokio::time::timeout(KEY_WAIT_MAX, ended.changed()).await;
        match self.verified(jwt, scratch) {
            Ok(Some(known)) => {
                tell(jwt, &known.verified, scratch);
                Ok(())
            }
            Ok(None) => Err(Turned::Away(Refusal::AccessUnknown, AccessVerdict::Failed)),
            Err(fault) => Err(by(fault)),
        }
    }
}

fn away(refusal: Refusal, verdict: AccessVerdict) -> Step {
    Step::Turned(Turned::Away(refusal, verdict))
}

fn turned_by(fault: Fault) -> Step {
    Step::Turned(by(fault))
}

fn by(fault: Fault) -> Turned {
    tracing::debug!(?fault, "a token that lets nobody in");
    let verdict = match fault {
        Fault::Missing => AccessVerdict::Missing,
        Fault::Expired => AccessVerdict::Expired,
        _ => AccessVerdict::Wrong,
    };
    Turned::Away(Refusal::Unauthenticated { wrong: fault != Fault::Missing }, verdict)
}

/// The password stays here; the backend is told the name, if it is to be.
fn let_in(basic: &LiveBasic, name: &str, scratch: &mut Scratch) {
    scratch.request.fields.remove(FieldName::Authorization);
    if let Some(field) = &basic.config.user {
        scratch.request.fields.set_named(field.as_bytes(), name.as_bytes());
    }
    scratch.user.extend_from_slice(name.as_bytes());
}

/// The token goes on; the backend is told its claims, if it is to be.
fn tell(jwt: &LiveJwt, verified: &Verified, scratch: &mut Scratch) {
    let fields = &mut scratch.request.fields;
    jwt.config.fields.iter().for_each(|(name, _)| fields.remove_named(name.as_bytes()));
    for (at, value) in &verified.fields {
        fields.push(jwt.config.fields[*at].0.as_bytes(), value.as_bytes());
    }
    scratch.user.extend_from_slice(verified.user.as_deref().unwrap_or_default().as_bytes());
}
