use super::{Settling, Shared};
use crate::config::{BackendAddress, Resolve};
use crate::live::{Endpoint, Found};
use crate::upstream::names::{NameError, News, Question, Resolver, follow};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinHandle, spawn_local};

/// The tasks that follow names, one for each name of each pool.
pub(super) struct Followers {
    tasks: HashMap<Key, JoinHandle<()>>,
    moved: UnboundedSender<Moved>,
}

/// Members changed; what waits for the first word of a new name waits for its backends' too.
pub(super) type Moved = Option<Rc<Settling>>;

/// Pool, name, and how it is followed.
type Key = (String, BackendAddress, Resolve);

impl Followers {
    pub(super) fn new(moved: UnboundedSender<Moved>) -> Followers {
        Followers { tasks: HashMap::new(), moved }
    }

    /// Starts those that are missing, and ends those that are wanted no more.
    pub(super) fn follow(&mut self, shared: &Rc<Shared>, settling: &Rc<Settling>) {
        let Some(generation) = shared.generation.borrow().clone() else { return };
        let mut wanted = HashSet::new();
        for (pool, live) in generation.snapshot.config.pools.iter().zip(&generation.snapshot.pools) {
            let names: Vec<_> = pool.backends.iter().map(|it| &it.address).filter(|it| it.is_name()).collect();
            live.state.set_names(|known| known.retain(|name, _| names.contains(&name)));
            live.state.keep_unresolved(|name| names.iter().any(|it| it.to_string() == name));
            if !names.is_empty() {
                // What was found since it was built.
                let now = shared.clock.coarse();
                live.members.store(Arc::new(live.state.members(pool, &shared.metrics, now)));
            }
            for name in names {
                wanted.insert((pool.name.clone(), name.clone(), pool.resolve.clone()));
            }
        }
        self.tasks.retain(|key, task| {
            let stays = wanted.remove(key);
            if !stays {
                task.abort();
            }
            stays
        });
        for key in wanted {
            let follower = Follower { shared: shared.clone(), key: key.clone(), moved: self.moved.clone() };
            self.tasks.insert(key, spawn_local(follower.run(settling.clone())));
        }
    }
}

/// Follows one name for as long as it is wanted.
struct Follower {
    shared: Rc<Shared>,
    key: Key,
    moved: UnboundedSender<Moved>,
}

impl Follower {
    async fn run(self, settling: Rc<Settling>) {
        let (_, name, resolve) = &self.key;
        let question = match name {
            BackendAddress::Name(name, port) => Question::Host { name: name.clone(), port: *port },
            BackendAddress::Srv(name) => Question::Srv(name.clone()),
            BackendAddress::Ip(_) | BackendAddress::Unix(_) => return,
        };
        let mut settling = Some(settling);
        // Made for each question: a file of the system that cannot be read now may be there the next time.
        let ask = || async {
            let resolver = Resolver::new(&resolve.servers)?;
            resolver.ask(&question).await
        };
        follow(ask, resolve.every, |news| self.tell(news, settling.take())).await;
    }

    fn tell(&self, news: News, settling: Option<Rc<Settling>>) {
        let (pool, name, _) = &self.key;
        let generation = self.shared.generation.borrow().clone();
        let Some((config, live)) = generation.as_ref().and_then(|it| it.snapshot.pool(pool)) else { return };
        let trouble = |error: &NameError| Some(error.to_string());
        let (found, why) = match news {
            News::Found(answer) => (Some(found(answer.found)), None),
            News::Held(error) => (None, trouble(&error)),
            News::Gone(error) => (Some(Vec::new()), trouble(&error)),
        };
        match &why {
            Some(why) => tracing::warn!(pool, %name, why, held = found.is_none(), "a name cannot be resolved"),
            None => tracing::info!(pool, %name, addresses = found.as_ref().map_or(0, Vec::len), "resolved"),
        }
        live.state.set_unresolved(&name.to_string(), why);
        if let Some(found) = found {
            live.state.set_names(|known| drop(known.insert(name.clone(), found)));
            let now = self.shared.clock.coarse();
            live.members.store(Arc::new(live.state.members(config, &self.shared.metrics, now)));
            live.state.turned();
        }
        let _ = self.moved.send(settling);
    }
}

fn found(found: Vec<crate::upstream::names::Found>) -> Vec<Found> {
    let of = |it: crate::upstream::names::Found| Found {
        endpoint: Endpoint::Ip(it.address),
        weight: it.weight,
        host: it.target,
    };
    found.into_iter().map(of).collect()
}
