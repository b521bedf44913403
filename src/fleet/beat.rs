use super::granters::LEFT_KEPT;
use super::held::Held;
use super::kept::{Kept, Most};
use super::known::Known;
use super::leases::Leases;
use super::limits::Limits;
use super::link::Link;
use super::names::Names;
use super::news::{self, PAGE};
use super::parts::{Part, Parts};
use super::place::{Past, Place, Pulse, misses};
use super::rooms::Rooms;
use super::{FleetError, Hands, LEAVE_MAX, kept, scripts};
use crate::cache::purge::{Mode, What};
use crate::clock::boot_time;
use crate::config::Cluster;
use crate::live::{Fleet, Outgoing, Purge, Told};
use redis::Script;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// What keeps this member in its fleet: a word to Redis each [`TICK`].
pub(super) struct Beat {
    cluster: Cluster,
    fleet: Arc<Fleet>,
    inbox: mpsc::Receiver<Outgoing>,
    hands: Arc<Hands>,
    limits: Limits,
    held: Held,
    leases: Leases,
    rooms: Rooms,
    parts: Parts,
    names: Names,
    renew: Script,
    /// Of this process, random.
    member: String,
    /// How many purges this member has sent.
    sent: u64,
    known: Known,
    /// `None`: it was never in touch, and what was purged until now is not known.
    place: Option<Place>,
    /// Where the process before this one was, until it is known whether that still says something.
    past: Option<Place>,
    /// When something was kept last, and what.
    kept: Option<(Instant, Kept)>,
    /// How many there are.
    most: Most,
    /// A purge is not written down on a disk.
    lapsed: bool,
    /// Not sent yet.
    queue: VecDeque<(String, Purge)>,
    /// Sent; not all have them.
    waiting: Vec<(u64, oneshot::Sender<Told>)>,
}

impl Beat {
    pub(super) fn new(cluster: Cluster, fleet: Arc<Fleet>, inbox: mpsc::Receiver<Outgoing>, hands: Hands) -> Beat {
        let hands = Arc::new(hands);
        let mut random = [0; 16];
        // Without random bytes the process id has to do.
        if getrandom::fill(&mut random).is_err() {
            random[..4].copy_from_slice(&std::process::id().to_le_bytes());
        }
        let member = format!("{:032x}", u128::from_le_bytes(random));
        Beat {
            names: Names::of(&cluster.name),
            place: None,
            past: None,
            kept: None,
            // What the process before kept is what is reckoned with.
            most: Most::after(fleet.members(), boot_time()),
            lapsed: false,
            renew: scripts::renew(),
            sent: 0,
            known: Known::default(),
            queue: VecDeque::new(),
            waiting: Vec::new(),
            held: Held::new(Arc::clone(&hands)),
            limits: Limits::new(Arc::clone(&hands), cluster.members),
            leases: Leases::new(Arc::clone(&hands), &member),
            rooms: Rooms::new(Arc::clone(&hands), &member),
            parts: Parts::default(),
            member,
            hands,
            cluster,
            fleet,
            inbox,
        }
    }

    /// Until it is told to stop, or nobody is left who could want anything.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        self.remember().await;
        // Ends with the runtime.
        let _kept = tokio::task::spawn_local(self.leases.keeper());
        let mut pause = PAUSE_MIN;
        loop {
            let mut link = None;
            let ended = tokio::select! {
                _ = &mut stop => None,
                why = self.live(&mut link, &mut pause) => Some(why),
            };
            let Some(why) = ended else {
                return self.leave(link).await;
            };
            self.go_down(&why);
            if self.rest(pause, &mut stop).await {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Takes up where the last process of this member was.
    async fn remember(&mut self) {
        let (hands, name) = (Arc::clone(&self.hands), self.cluster.name.clone());
        let last = tokio::task::spawn_blocking(move || (kept::last(&hands, &name), kept::member(&hands, &name))).await;
        let (last, past) = last.unwrap_or_default();
        self.leases.follows(past);
        if let Some((place, purges)) = last {
            for purge in &purges {
                self.purge(purge).await;
            }
            self.past = Some(place).filter(|_| !self.lapsed);
        }
    }

    /// Connects and beats until something fails; why.
    async fn live(&mut self, kept: &mut Option<Link>, pause: &mut Duration) -> FleetError {
        let link = match Link::connect(&self.cluster).await {
            Ok(link) => kept.insert(link),
            Err(error) => return error,
        };
        if let Err(error) = self.join(link).await {
            return error;
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some(outgoing) = self.inbox.recv(), if self.waiting.len() < WAITING_MAX => {
                    if let Err(error) = self.send(link, outgoing).await {
                        return error;
                    }
                }
            }
            if let Err(error) = self.beat(link).await {
                return error;
            }
            if let Err(error) = self.share(link).await {
                return error;
            }
            // Not before: what fails each time must not be tried twenty times a second.
            *pause = PAUSE_MIN;
        }
    }

    /// Tells and hears all that is shared beside purges; what Redis refuses is left out.
    async fn share(&mut self, link: &mut Link) -> Result<(), FleetError> {
        let now = (self.hands.now)();
        if self.parts.has(Part::Limits, now) {
            let told = self.share_limits(link).await;
            if !self.parts.note(Part::Limits, told, now)? {
                self.held.lost();
            }
        } else {
            self.limits.forget();
            self.held.forget();
        }
        if self.parts.has(Part::Leases, now) {
            let told = self.leases.share(link, &self.names).await;
            if !self.parts.note(Part::Leases, told, now)? {
                self.leases.lost();
            }
        }
        if self.parts.has(Part::Rooms, now) {
            let told = self.rooms.share(link, &self.names, &self.fleet).await;
            if !self.parts.note(Part::Rooms, told, now)? {
                self.rooms.lost();
            }
        }
        self.fleet.set_left_out(self.parts.why());
        Ok(())
    }

    async fn share_limits(&mut self, link: &mut Link) -> Result<(), FleetError> {
        self.held.share(link, &self.names, &self.member).await?;
        // After it all that members share of limits is heard.
        self.limits.share(link, &self.names, &self.fleet).await
    }

    /// The first words on a new connection: catches up, and tells again what Redis has forgotten.
    async fn join(&mut self, link: &mut Link) -> Result<(), FleetError> {
        let pulse = self.renew(link).await?;
        self.reread(link, &pulse).await?;
        while let Some((id, purge)) = self.queue.front() {
            news::write(link, &self.names, id, purge).await?;
            self.queue.pop_front();
        }
        let (members, redis) = (pulse.members, &self.cluster.redis);
        tracing::info!(members, %redis, "joined the fleet");
        self.beat(link).await
    }

    /// Reads all that Redis has, does what is new, tells again what it has forgotten, and leaves `place` at its end.
    async fn reread(&mut self, link: &mut Link, pulse: &Pulse) -> Result<(), FleetError> {
        self.leases.lost();
        self.held.lost();
        self.rooms.lost();
        self.learn_secret(link).await?;
        let (mut there, mut after, mut first, mut last) = (HashSet::new(), 0, None, String::new());
        let mut past = self.past.clone().filter(|past| past.epoch == pulse.epoch).map(Past::of);
        loop {
            let page = news::read(link, &self.names, after).await?;
            let is_last = page.len() < PAGE;
            for news in page {
                first = first.or(Some(news.number));
                after = news.number;
                let is_new = self.known.note(&news.id, &news.purge, boot_time());
                // Whoever was never in touch purges everything below.
                let is_missed = match &mut past {
                    Some(past) => past.misses(&news),
                    None => self.place.is_some(),
                };
                if is_new && is_missed {
                    self.purge(&news.purge).await;
                }
                last.clone_from(&news.id);
                there.insert(news.id);
            }
            if is_last {
                break;
            }
        }
        let past = past.filter(|past| past.is_found).map(|past| past.place);
        if misses(self.place.as_ref().or(past.as_ref()), pulse, first) {
            tracing::info!("purges of the fleet may have been missed: everything stored is purged");
            self.purge(&Purge { cache: None, what: vec![What::All], mode: Mode::Hard }).await;
        }
        self.place = Some(Place { epoch: pulse.epoch.clone(), number: after.max(pulse.number), id: last });
        // What it said is done.
        self.past = None;
        for (id, purge) in self.known.forgotten(&there, boot_time()) {
            news::write(link, &self.names, &id, &purge).await?;
        }
        Ok(())
    }

    /// All members make keys of limits with what the first of them brought.
    async fn learn_secret(&self, link: &mut Link) -> Result<(), FleetError> {
        let own = format!("{:032x}", u128::from_le_bytes(self.fleet.secret.get()));
        let _: Option<String> = redis::cmd("SET").arg(&self.names.secret).arg(own).arg("NX").query_async(link).await?;
        let told: Option<String> = redis::cmd("GET").arg(&self.names.secret).query_async(link).await?;
        let secret = told.and_then(|told| u128::from_str_radix(&told, 16).ok());
        self.fleet.secret.set(secret.ok_or(FleetError::Strange("a secret that is none"))?.to_le_bytes());
        Ok(())
    }

    /// One word to Redis, and what follows from the answer.
    async fn beat(&mut self, link: &mut Link) -> Result<(), FleetError> {
        let mut begun = boot_time();
        let mut pulse = self.renew(link).await?;
        if self.catch_up(link, &pulse).await? {
            // The others need not wait for the next beat to hear of it.
            begun = boot_time();
            pulse = self.renew(link).await?;
            self.catch_up(link, &pulse).await?;
        }
        // Counted from before Redis was asked, so that it ends here before it ends there.
        self.fleet.set_sure(begun + self.cluster.lease - self.cluster.lease / LEASE_MARGIN);
        self.fleet.set_up(pulse.members);
        self.most.note(pulse.members, boot_time());
        for at in (0..self.waiting.len()).rev() {
            if self.waiting[at].0 <= pulse.floor {
                let (_, told) = self.waiting.swap_remove(at);
                let _ = told.send(Told::Everywhere { members: pulse.members });
            }
        }
        self.waiting.retain(|(_, told)| !told.is_closed());
        Ok(())
    }

    /// Does what others purged; whether there was something.
    async fn catch_up(&mut self, link: &mut Link, pulse: &Pulse) -> Result<bool, FleetError> {
        let number_of = |place: &Place| (place.epoch == pulse.epoch).then_some(place.number);
        // Otherwise its data are lost, or older than they were.
        let Some(was) = self.place.as_ref().and_then(number_of).filter(|number| *number <= pulse.number) else {
            self.reread(link, pulse).await?;
            return Ok(true);
        };
        let mut number = was;
        while number < pulse.number {
            let page = news::read(link, &self.names, number).await?;
            if page.first().is_none_or(|first| first.number > number + 1) {
                self.reread(link, pulse).await?;
                return Ok(true);
            }
            let mut id = String::new();
            for news in page {
                number = news.number;
                id.clone_from(&news.id);
                if self.known.note(&news.id, &news.purge, boot_time()) {
                    self.purge(&news.purge).await;
                }
            }
            self.place = Some(Place { epoch: pulse.epoch.clone(), number, id });
        }
        self.keep(KEPT_EACH);
        Ok(number > was)
    }

    async fn renew(&self, link: &mut Link) -> Result<Pulse, FleetError> {
        let (epoch, applied) = self.place.as_ref().map_or(("", 0), |place| (place.epoch.as_str(), place.number));
        let mut call = self.renew.prepare_invoke();
        call.key(&self.names.members).key(&self.names.applied).key(&self.names.number).key(&self.names.epoch);
        call.arg(&self.member).arg(self.cluster.lease.as_millis() as u64).arg(applied).arg(epoch);
        call.arg(&self.member);
        let (members, number, floor, epoch) = call.invoke_async(link).await?;
        Ok(Pulse { members, number, floor, epoch })
    }

    async fn send(&mut self, link: &mut Link, outgoing: Outgoing) -> Result<(), FleetError> {
        let Outgoing { purge, told } = outgoing;
        let id = self.name(&purge);
        match news::write(link, &self.names, &id, &purge).await {
            Ok(number) => {
                self.waiting.push((number, told));
                Ok(())
            }
            Err(error) => {
                // It may be there all the same: whoever reads it twice does it once.
                self.queue.push_back((id, purge));
                let _ = told.send(Told::Queued(error.to_string()));
                Err(error)
            }
        }
    }

    /// An id for a purge that is done here already.
    fn name(&mut self, purge: &Purge) -> String {
        self.sent += 1;
        let id = format!("{}-{}", self.member, self.sent);
        self.known.note(&id, purge, boot_time());
        id
    }

    /// Keeps for the next process how far this one is, unless it did so a short while ago.
    fn keep(&mut self, each: Duration) {
        if self.place.is_none() || self.kept.as_ref().is_some_and(|(at, _)| at.elapsed() < each) {
            return;
        }
        let place = self.place.clone().filter(|_| !self.lapsed);
        let now = Kept { place, members: self.most.get(), member: self.member.clone() };
        if self.kept.as_ref().is_some_and(|(_, kept)| *kept == now) {
            return;
        }
        kept::keep(&self.hands, &self.cluster.name, &now);
        self.kept = Some((Instant::now(), now));
    }

    async fn purge(&mut self, purge: &Purge) {
        let (hands, purge) = (Arc::clone(&self.hands), purge.clone());
        // It may wait for the disk, and no longer than that does.
        let is_done = tokio::task::spawn_blocking(move || (hands.purge)(&purge)).await.unwrap_or(false);
        self.lapsed |= !is_done;
    }

    fn go_down(&mut self, why: &FleetError) {
        if self.fleet.is_up() || self.fleet.trouble().is_none() {
            let redis = &self.cluster.redis;
            tracing::warn!(%redis, %why, "the fleet cannot be reached: going on alone");
        }
        let why = why.to_string();
        self.fleet.set_down(&why);
        for (_, told) in self.waiting.drain(..) {
            let _ = told.send(Told::Queued(why.clone()));
        }
    }

    /// Waits, and takes what is to be sent later; `true`: it is told to stop.
    async fn rest(&mut self, pause: Duration, stop: &mut oneshot::Receiver<()>) -> bool {
        let rest = sleep(jitter(pause));
        let mut ticks = interval(FORGET_EACH);
        tokio::pin!(rest);
        loop {
            tokio::select! {
                () = &mut rest => return false,
                _ = ticks.tick() => {
                    self.limits.forget();
                    self.held.forget();
                }
                _ = &mut *stop => return true,
                Some(Outgoing { purge, told }) = self.inbox.recv(), if self.queue.len() < QUEUE_MAX => {
                    let id = self.name(&purge);
                    self.queue.push_back((id, purge));
                    let _ = told.send(Told::Queued(self.fleet.trouble().unwrap_or_default()));
                }
            }
        }
    }

    async fn leave(mut self, link: Option<Link>) {
        self.keep(Duration::ZERO);
        let Some(mut link) = link else { return };
        let script = scripts::leave();
        let mut call = script.key(&self.names.members);
        call.key(&self.names.applied).key(self.names.left(&self.member)).arg(&self.member);
        call.arg(LEFT_KEPT.as_millis() as u64);
        let _: Result<Result<i64, _>, _> = timeout(LEAVE_MAX, call.invoke_async(&mut link)).await;
    }
}

/// Up to a quarter more or less, so that members do not come back all at once.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0; 1];
    let _ = getrandom::fill(&mut byte);
    pause * 3 / 4 + pause / 2 * u32::from(byte[0]) / 255
}

/// Between two words to Redis.
const TICK: Duration = Duration::from_millis(20);

/// Before the first try to connect again, and before each later one at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Between two looks at what was let in while nobody can be told.
const FORGET_EACH: Duration = Duration::from_millis(100);

/// Between two times that it is kept how far this member is.
const KEPT_EACH: Duration = Duration::from_secs(1);

/// A tenth of a lease is for clocks that do not run alike.
const LEASE_MARGIN: u32 = 10;

/// Purges that are sent and not yet done by all; the next ones wait to be sent.
const WAITING_MAX: usize = 4_096;

/// Purges that wait for Redis.
const QUEUE_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_do_not_come_back_all_at_once() {
        for _ in 0..100 {
            let pause = jitter(PAUSE_MAX);
            assert!(pause >= PAUSE_MAX * 3 / 4 && pause <= PAUSE_MAX * 5 / 4);
        }
    }
}
