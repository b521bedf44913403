use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The value of a `Date` field (RFC 9110 §5.6.7), formatted once a second.
#[derive(Debug)]
pub struct HttpDate {
    second: Cell<u64>,
    text: RefCell<String>,
}

impl Default for HttpDate {
    fn default() -> Self {
        let date = HttpDate { second: Cell::new(u64::MAX), text: RefCell::default() };
        date.refresh();
        date
    }
}

impl HttpDate {
    /// Looks at the system's clock.
    pub fn refresh(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.second.replace(now) != now {
            *self.text.borrow_mut() = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        }
    }

    /// Calls `with` with the text.
    pub fn with<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        with(self.text.borrow().as_bytes())
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix(&self) -> u64 {
        self.second.get()
    }
}
