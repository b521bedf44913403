use crate::access::jwt::{Keys, KeysFault, Schedule};
use crate::config::{Algorithm, KeyUrl};
use crate::live::state::lock;
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Keys that are fetched by one thread and used by all. The last ones that were good are kept, whatever comes after them.
/// Times count from the start of the process.
pub struct KeyRing {
    url: KeyUrl,
    algorithms: Vec<Algorithm>,
    held: ArcSwapOption<HeldKeys>,
    state: Mutex<State>,
    wanted: Notify,
    /// Counts the tries that ended.
    rounds: watch::Sender<u64>,
}

/// Keys, and since when.
#[derive(Debug)]
pub struct HeldKeys {
    /// The keys.
    pub keys: Arc<Keys>,
    /// Changes when they do.
    pub version: u64,
    /// When they were fetched last.
    pub since: Duration,
    text: Vec<u8>,
}

struct State {
    schedule: Schedule,
    fetching: bool,
    why: Option<String>,
}

impl HeldKeys {
    /// Keys that are like no others.
    #[must_use]
    pub fn new(keys: Keys, since: Duration) -> HeldKeys {
        HeldKeys { keys: Arc::new(keys), version: version(), since, text: Vec::new() }
    }
}

impl KeyRing {
    /// Nothing was fetched yet.
    #[must_use]
    pub fn new(url: &KeyUrl, algorithms: &[Algorithm]) -> KeyRing {
        KeyRing {
            url: url.clone(),
            algorithms: algorithms.to_vec(),
            held: ArcSwapOption::empty(),
            state: Mutex::new(State { schedule: Schedule::new(url.every), fetching: false, why: None }),
            wanted: Notify::new(),
            rounds: watch::Sender::new(0),
        }
    }

    /// Whether it fetches the same for the same.
    #[must_use]
    pub fn is_for(&self, url: &KeyUrl, algorithms: &[Algorithm]) -> bool {
        self.url == *url && self.algorithms == algorithms
    }

    /// Where it fetches.
    #[must_use]
    pub fn url(&self) -> &KeyUrl {
        &self.url
    }

    /// The keys now; none if they were never fetched.
    #[must_use]
    pub fn held(&self) -> Option<Arc<HeldKeys>> {
        self.held.load_full()
    }

    /// A key is wanted that is not among them. What tells of the end of the try that is made for it; none if the last try
    /// was a moment ago.
    #[must_use]
    pub fn want(&self, now: Duration) -> Option<watch::Receiver<u64>> {
        let state = lock(&self.state);
        if !state.fetching && now < state.schedule.due_if_wanted() {
            return None;
        }
        let ended = self.rounds.subscribe();
        if !state.fetching {
            self.wanted.notify_one();
        }
        Some(ended)
    }

    /// Returns when somebody [wants](Self::want) a key.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// When the next try is due; `wanted`: for a key that is not known.
    #[must_use]
    pub fn due(&self, wanted: bool) -> Duration {
        let schedule = &lock(&self.state).schedule;
        if wanted { schedule.due_if_wanted() } else { schedule.due() }
    }

    /// A try begins.
    pub fn begin(&self) {
        lock(&self.state).fetching = true;
    }

    /// The try that began then, perhaps for a key that was `wanted`, has ended: what was fetched, or why nothing was.
    ///
    /// # Errors
    /// Why the keys are what they were.
    pub fn ended(&self, began: Duration, wanted: bool, fetched: Result<Vec<u8>, String>) -> Result<(), String> {
        let result = fetched.and_then(|text| self.take(text, began).map_err(|fault| fault.to_string()));
        let mut state = lock(&self.state);
        state.schedule.tried(began, wanted, result.is_ok());
        state.fetching = false;
        state.why = result.as_ref().err().cloned();
        self.rounds.send_modify(|rounds| *rounds += 1);
        result
    }

    /// Why the last try failed, if it did.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        lock(&self.state).why.clone()
    }

    fn take(&self, text: Vec<u8>, since: Duration) -> Result<(), KeysFault> {
        let held = match self.held() {
            Some(held) if held.text == text => {
                HeldKeys { keys: Arc::clone(&held.keys), version: held.version, since, text }
            }
            _ => HeldKeys { text: text.clone(), ..HeldKeys::new(Keys::parse(&text, &self.algorithms)?, since) },
        };
        self.held.store(Some(Arc::new(held)));
        Ok(())
    }
}

/// No two sets of keys have the same.
fn version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const TWO: &[u8] =
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn ring() -> KeyRing {
        let url = KeyUrl {
            is_https: true,
            host: "a.example".into(),
            port: 443,
            target: "/".into(),
            ca: None,
            every: seconds(300),
        };
        KeyRing::new(&url, &[Algorithm::EdDsa])
    }

    #[test]
    fn the_last_good_keys_are_kept_and_what_is_the_same_is_no_change() {
        let ring = ring();
        assert!(ring.held().is_none());
        let took = |began, fetched: Result<&[u8], &str>| {
            ring.begin();
            let result = ring.ended(seconds(began), false, fetched.map(<[u8]>::to_vec).map_err(str::to_owned));
            assert_eq!(ring.why(), result.as_ref().err().cloned());
            (result.is_ok(), ring.held().map(|held| (held.version, held.since.as_secs())))
        };
        assert_eq!(took(1, Err("gone")), (false, None));
        let (is_ok, first) = took(2, Ok(ONE));
        let version = first.unwrap().0;
        assert_eq!((is_ok, first), (true, Some((version, 2))));
        assert_eq!(took(3, Ok(ONE)), (true, Some((version, 3))));
        assert_eq!(took(4, Ok(b"{}")), (false, Some((version, 3))));
        assert_eq!(took(5, Err("gone")), (false, Some((version, 3))));
        let (_, changed) = took(6, Ok(TWO));
        assert_ne!(changed.unwrap().0, version);
    }

    #[test]
    fn who_wants_a_key_waits_for_one_try_and_the_next_has_to_wait_its_time() {
        let ring = ring();
        ring.begin();
        // One is under way: it is joined.
        let joined = ring.want(seconds(0)).unwrap();
        assert!(!joined.has_changed().unwrap());
        ring.ended(seconds(0), true, Ok(ONE.to_vec())).unwrap();
        assert!(joined.has_changed().unwrap());
        assert!(ring.want(seconds(9)).is_none());
        assert!(ring.want(seconds(10)).is_some());
        assert_eq!((ring.due(false), ring.due(true)), (seconds(300), seconds(10)));
    }
}
