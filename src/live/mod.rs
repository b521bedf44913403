//! What runs now: the immutable set built from one configuration. An exchange takes one and holds it to its end.

mod access;
mod backend;
mod cache;
mod ceiling;
mod demand;
mod endpoint;
mod fleet;
mod ledger;
mod limit;
mod members;
mod outcome;
mod pool;
mod pressure;
mod queue;
mod registry;
mod room;
mod rules;
mod snapshot;
mod state;
mod state_dir;

pub use access::{
    Hashing, HeldKeys, KeyRing, KeyState, Known, LiveAccess, LiveAsk, LiveBasic, LiveJwt, LiveProof, Turn,
};
pub use backend::LiveBackend;
pub use cache::{
    CacheRules, Change, Confirmer, Done as Purged, FormKept, Listener, LiveCache, News, Teller, Tier, cache_defaults,
    line,
};
pub use ceiling::{Ceiling, Held, Level, Ordered};
pub use endpoint::Endpoint;
pub use fleet::{Fleet, Outgoing, Purge, Told};
pub use ledger::{Entry, Ledger, Secret, WAITING_ROOMS};
pub use limit::LiveLimit;
pub use members::{Found, Leased, Member, Members, Names};
pub use outcome::{Admitted, Ended, Outcome};
pub use pool::LivePool;
pub use pressure::Pressure;
pub use queue::{Displaced, Place, Queue};
pub use registry::{
    LeaseChange, LeaseLook, LeaseTurn, LeasedHealth, LiveRegistry, Refused, Registered, ServiceLook, Who, Work,
};
pub use room::{Entering, LiveRoom, Ring, RoomRules};
pub use rules::probes;
pub use snapshot::Snapshot;
pub use state::PoolState;
pub use state_dir::{Kept, StateDir, StateError, StateFile};
