//! What happens to the process, in text, on standard error: standard output belongs to the access log.

use crate::config::Level;
use std::io;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, fmt, reload};

/// The handle by which a reload changes the level.
#[derive(Clone, Debug)]
pub struct Events(reload::Handle<Targets, Registry>);

impl Events {
    /// Starts writing events to standard error, for the whole process.
    ///
    /// # Errors
    /// Something else was installed before.
    pub fn install(level: Level) -> Result<Events, TryInitError> {
        let (subscriber, events) = subscriber(level, io::stderr);
        subscriber.try_init()?;
        Ok(events)
    }

    /// From now on, events less important than `level` are not written.
    pub fn set_level(&self, level: Level) {
        // It fails only if the subscriber is gone, and then nothing is written anyway.
        let _ = self.0.reload(targets(level));
    }
}

fn subscriber<W>(level: Level, writer: W) -> (impl Subscriber + Send + Sync, Events)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(targets(level));
    let text = fmt::layer().with_writer(writer);
    (tracing_subscriber::registry().with(filter).with(text), Events(handle))
}

/// Ours at `level`; of the libraries no more than warnings, unless everything is asked for.
fn targets(level: Level) -> Targets {
    let (ours, theirs) = match level {
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        Level::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
        Level::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    Targets::new().with_default(theirs).with_target(env!("CARGO_CRATE_NAME"), ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    #[test]
    fn the_level_can_be_changed_while_it_runs() {
        let page = Page::default();
        let writer = page.clone();
        let (subscriber, events) = subscriber(Level::Info, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(port = 1, "first");
            tracing::debug!("second");
            tracing::info!(target: "h2::codec", "third");
            let text = page.take();
            assert!(text.contains("first port=1") && text.lines().count() == 1, "{text}");
            events.set_level(Level::Debug);
            tracing::debug!("fourth");
            events.set_level(Level::Error);
            tracing::warn!("fifth");
            let text = page.take();
            assert!(text.contains("fourth") && text.lines().count() == 1, "{text}");
        });
    }
}
