use super::{News, Question, Resolver, follow};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A thread of its own that follows names. Dropped, it follows none of them any more.
#[derive(Debug)]
pub struct Names {
    runtime: Handle,
    resolver: Arc<Resolver>,
    _running: oneshot::Sender<()>,
}

/// One name that is followed, until this is dropped.
#[derive(Debug)]
pub struct Following(AbortHandle);

impl Names {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread, or no descriptors for its runtime.
    pub fn start(resolver: Resolver) -> io::Result<Names> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (_running, stopped) = oneshot::channel::<()>();
        let body = move || {
            // An error is the other end's being dropped.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        thread::Builder::new().name("weir-names".to_owned()).spawn(body)?;
        Ok(Names { runtime: handle, resolver: Arc::new(resolver), _running })
    }

    /// Asks at once, and again as the answers expire, at most `every` apart. `tell` is called on the thread, once for each
    /// change: it has to be quick. It may still be running when the [`Following`] is dropped, but is not called again.
    #[must_use]
    pub fn follow(
        &self,
        question: Question,
        every: Option<Duration>,
        tell: impl FnMut(News) + Send + 'static,
    ) -> Following {
        let resolver = self.resolver.clone();
        let task = async move { follow(|| resolver.ask(&question), every, tell).await };
        Following(self.runtime.spawn(task).abort_handle())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}
