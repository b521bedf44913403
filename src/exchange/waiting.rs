//! Before a waiting room: who shows a pass goes on, who shows a ticket may come in or waits, who shows neither gets one.

use super::attempts::Trail;
use super::refusal::begin;
use super::serve::{Course, Scratch};
use super::{Downstream, Refusal, Reply, answer};
use crate::config::{Config, WaitingRoomId};
use crate::http::{FieldName, Fields, Method, RequestHead, Scheme, cookie_pairs, preferred, request_id};
use crate::live::{Entering, LivePool, Ring, RoomRules};
use crate::telemetry::access::End;
use crate::waiting::{Bad, Binding, Entry, Keys, Kind, Page, Ticket, Verdict, Waiting};
use std::time::{Duration, Instant};

/// Tickets that one request may show; more is no browser.
const SHOWN_MAX: usize = 4;
/// How long a browser keeps a ticket that it does not show: as long as its place may last.
const TICKET_AGE: Duration = Duration::from_secs(6 * 3600);
/// A pass that has lasted this part of its session is renewed.
const RENEWED_OF: u64 = 8;

/// What a request shows of a room.
enum Shown {
    /// A pass that is good; whether it is to be renewed.
    Pass(Ticket, bool),
    Ticket(Ticket),
    /// Nothing that counts; what it shows all the same.
    Nothing(Option<Bad>),
}

/// One visitor before one room.
struct Visitor<'a> {
    rules: &'a RoomRules,
    keys: &'a Keys,
    binding: Binding,
    /// The name of his cookie.
    cookie: String,
    /// Seconds since the epoch.
    now: u64,
    is_secure: bool,
}

impl Course<'_> {
    /// Lets the request on, or says how its exchange ended.
    pub(super) async fn wait<D: Downstream>(
        &self,
        id: WaitingRoomId,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Result<(), End> {
        let snapshot = &self.held.generation.snapshot;
        let rules = &snapshot.rooms[id.0];
        let ring = rules.room.ring();
        let Some(keys) = ring.as_ref().map(|ring| &ring.keys).or_else(|| rules.room.keys()) else {
            return Err(self.turn_away(&closed(), None, (rules, None), scratch, down, trail).await);
        };
        let visitor = self.visitor(rules, keys, &scratch.request.fields);
        let mut shown = visitor.shown(&scratch.request.fields);
        if let Some(ring) = ring.as_deref().filter(|_| matches!(shown, Shown::Nothing(_))) {
            shown = self.shown_of_before(rules, ring, &scratch.request.fields).unwrap_or(shown);
        }
        strip(&rules.cookie, &mut scratch.request.fields);
        if is_preflight(&scratch.request) {
            return Ok(());
        }
        let now = self.worker.clock.exact(Instant::now());
        let pools = (&snapshot.config, snapshot.pools.as_slice());
        let ((verdict, entering), note) = match shown {
            Shown::Pass(pass, is_old) => {
                if is_old {
                    rules.renew(pass.number, now);
                    self.shown.borrow_mut().pass = Some(visitor.pass(pass.number));
                }
                return Ok(());
            }
            Shown::Ticket(ticket) => match rules.ticket(ticket.number, now, pools) {
                (Verdict::Refused(bad), _) => (visitor.begin(now, pools, &scratch.request, None), Some(bad)),
                judged => (judged, None),
            },
            Shown::Nothing(bad) => (visitor.begin(now, pools, &scratch.request, bad), bad),
        };
        match verdict {
            Verdict::Enter(Entry { number, after }) => {
                self.shown.borrow_mut().pass = Some(visitor.pass(number));
                trail.entering = entering;
                if !after.is_zero() {
                    // The system's timer, as the worker's is not exact enough to let them in evenly.
                    tokio::time::sleep(after).await;
                }
                Ok(())
            }
            Verdict::Wait(waiting) => {
                let ticket = visitor.ticket(waiting.number);
                Err(self.turn_away(&waiting, note, (rules, Some(ticket)), scratch, down, trail).await)
            }
            Verdict::NotNow(waiting) => Err(self.turn_away(&waiting, None, (rules, None), scratch, down, trail).await),
            Verdict::Full | Verdict::Refused(_) => {
                Err(self.refuse(Refusal::WaitingRoomFull, scratch, down, trail).await)
            }
        }
    }

    /// What he shows that is good by a secret with which a member of the fleet signed before all had one; he gets one by that.
    fn shown_of_before(&self, rules: &RoomRules, ring: &Ring, fields: &Fields) -> Option<Shown> {
        let by = |keys| match self.visitor(rules, keys, fields).shown(fields) {
            Shown::Pass(pass, _) => Some(Shown::Pass(pass, true)),
            Shown::Nothing(_) => None,
            ticket @ Shown::Ticket(_) => Some(ticket),
        };
        ring.others.iter().find_map(by)
    }

    fn visitor<'a>(&self, rules: &'a RoomRules, keys: &'a Keys, fields: &Fields) -> Visitor<'a> {
        let address = rules.by_address.then_some(self.who);
        let binding = keys.binding(address, fields.get(FieldName::UserAgent).unwrap_or_default());
        let digits = binding.digits();
        let mut cookie = rules.cookie.clone();
        cookie.extend(digits.iter().map(|digit| char::from(*digit)));
        let is_secure = self.client.scheme == Scheme::Https;
        Visitor { rules, keys, binding, cookie, now: self.worker.now_ms() / 1000, is_secure }
    }

    /// Shows how it stands with one who waits before a room; with a ticket that he is to keep, if he has one.
    async fn turn_away<D: Downstream>(
        &self,
        waiting: &Waiting,
        note: Option<Bad>,
        (rules, ticket): (&RoomRules, Option<String>),
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        let refusal = Refusal::Waiting;
        refusal.reason().into_iter().for_each(|reason| self.worker.metrics.refused(reason));
        let Scratch { request, response, .. } = scratch;
        // What came by another method would be asked for anew by GET, which means something else.
        let returns = matches!(request.method, Method::Get | Method::Head);
        let page = Page { waiting, note, returns };
        let (content_type, content) = page.write(preferred(&request.fields), rules.page.as_ref(), refusal.status());
        let id = request_id(self.id);
        begin(refusal, content_type, std::str::from_utf8(&id).unwrap_or_default(), &self.worker.clock, response);
        let seconds = if returns { waiting.refresh } else { waiting.wait.unwrap_or(waiting.refresh) };
        let seconds = seconds.as_secs().max(1).to_string();
        response.fields.push_known(FieldName::RetryAfter, seconds.as_bytes());
        if returns {
            response.fields.push(b"refresh", seconds.as_bytes());
        }
        if let Some(ticket) = &ticket {
            response.fields.push_known(FieldName::SetCookie, ticket.as_bytes());
        }
        let reply = down.halves().1;
        let patience = reply.patience(self.client.gate.timeouts.body);
        let send = answer::send(response, content.as_bytes(), answer::is_head(&request.method), reply);
        match self.worker.clock.within(patience, send).await {
            Ok(Ok(sent)) => {
                trail.moved.down += sent;
                End::Waiting
            }
            _ => {
                reply.abort();
                End::ClientAborted
            }
        }
    }
}

impl Visitor<'_> {
    /// The best of what the request shows under the name of this client's cookie.
    fn shown(&self, fields: &Fields) -> Shown {
        let mut best = Shown::Nothing(None);
        for value in cookie_pairs(fields).filter_map(|pair| self.own(pair)).take(SHOWN_MAX) {
            match self.keys.read(value, self.binding) {
                Ok(pass) if pass.kind == Kind::Pass => match is_old(pass.written, self.now, self.session()) {
                    Some(is_old) => return Shown::Pass(pass, is_old),
                    None => best = keep(best, Shown::Nothing(Some(Bad::Spent))),
                },
                Ok(ticket) => best = Shown::Ticket(ticket),
                Err(bad) => best = keep(best, Shown::Nothing(Some(bad))),
            }
        }
        match best {
            // That of another client, or of this one on another network: it is kept for when it is back there.
            Shown::Nothing(None) if cookie_pairs(fields).any(|pair| pair.starts_with(self.rules.cookie.as_bytes())) => {
                Shown::Nothing(Some(Bad::Copied))
            }
            best => best,
        }
    }

    /// The value of a cookie that has this client's name.
    fn own<'c>(&self, pair: &'c [u8]) -> Option<&'c [u8]> {
        pair.strip_prefix(self.cookie.as_bytes())?.strip_prefix(b"=")
    }

    fn session(&self) -> u64 {
        self.rules.rules.session.as_secs().max(1)
    }

    /// One who has no number.
    fn begin(
        &self,
        now: Duration,
        pools: (&Config, &[LivePool]),
        request: &RequestHead,
        shown: Option<Bad>,
    ) -> (Verdict, Option<Entering>) {
        let may_wait = matches!(request.method, Method::Get | Method::Head);
        self.rules.newcomer(now, pools, may_wait, shown)
    }

    /// A pass, as a value of Set-Cookie.
    fn pass(&self, number: u64) -> String {
        self.set_cookie(Kind::Pass, number, self.rules.rules.session)
    }

    /// A ticket, as a value of Set-Cookie.
    fn ticket(&self, number: u64) -> String {
        self.set_cookie(Kind::Ticket, number, TICKET_AGE)
    }

    fn set_cookie(&self, kind: Kind, number: u64, age: Duration) -> String {
        let value = self.keys.write(&Ticket { kind, number, written: self.now }, self.binding);
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", self.cookie, age.as_secs())
    }
}

/// Whether a pass is to be renewed; `None`: it is not good any more. All in seconds. One of later than now is renewed, as it
/// would be good for longer than a session: the clock was put back.
fn is_old(written: u64, now: u64, session: u64) -> Option<bool> {
    let age = now.saturating_sub(written);
    (age < session).then_some(age >= session / RENEWED_OF || written > now)
}

/// A ticket is better than nothing.
fn keep(best: Shown, other: Shown) -> Shown {
    if matches!(best, Shown::Ticket(_)) { best } else { other }
}

/// Browsers ask without cookies whether they may ask (Fetch §4.8); who does is no visitor.
fn is_preflight(request: &RequestHead) -> bool {
    request.method == Method::Options
        && request.fields.named(b"access-control-request-method").next().is_some()
        && request.fields.named(b"origin").next().is_some()
}

/// A room whose past is not known yet: this takes no time.
fn closed() -> Waiting {
    Waiting { number: 0, place: 1, waiting: 0, wait: None, refresh: Duration::from_secs(1) }
}

/// Takes the cookies of a room out of the request, so that no backend and no cache sees them; the others become one line.
fn strip(prefix: &str, fields: &mut Fields) {
    let is_ours = |pair: &&[u8]| pair.starts_with(prefix.as_bytes());
    if !cookie_pairs(fields).any(|pair| is_ours(&pair)) {
        return;
    }
    let kept: Vec<&[u8]> = cookie_pairs(fields).filter(|pair| !is_ours(pair)).collect();
    let kept = kept.join(&b"; "[..]);
    fields.remove(FieldName::Cookie);
    if !kept.is_empty() {
        fields.push_known(FieldName::Cookie, &kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_renewed_after_an_eighth_of_its_session_or_if_the_clock_was_put_back() {
        let pass = |written| is_old(written, 1000, 80);
        assert_eq!([pass(920), pass(921), pass(990)], [None, Some(true), Some(true)]);
        assert_eq!([pass(991), pass(1000), pass(1001), pass(9000)], [Some(false), Some(false), Some(true), Some(true)]);
    }

    #[test]
    fn the_backend_sees_all_cookies_but_those_of_the_room() {
        let mut fields = Fields::default();
        fields.push(b"cookie", b"a=1; weir_room.sale.0f1a=77; weir_room.other.0f1a=1");
        fields.push(b"cookie", b"weir_room.sale.ffff=1; b=2");
        strip("weir_room.sale.", &mut fields);
        assert_eq!(fields.all(FieldName::Cookie).collect::<Vec<_>>(), [b"a=1; weir_room.other.0f1a=1; b=2"]);
        strip("weir_room.other.", &mut fields);
        fields.set(FieldName::Cookie, b"weir_room.sale.ffff=1");
        strip("weir_room.sale.", &mut fields);
        assert!(fields.is_empty());
    }
}
