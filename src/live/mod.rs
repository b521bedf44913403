//! What runs now: the immutable set built from one configuration. An exchange takes one and holds it to its end.

mod backend;
mod endpoint;
mod members;
mod pool;
mod queue;
mod rules;
mod snapshot;

pub use backend::LiveBackend;
pub use endpoint::Endpoint;
pub use members::{Found, Member, Members, Names};
pub use pool::{Admitted, Ended, LivePool, Outcome, PoolState};
pub use queue::{Place, Queue};
pub use rules::probes;
pub use snapshot::Snapshot;
