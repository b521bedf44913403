use redis::RedisError;
use std::fmt;
use std::time::Duration;

/// Why Redis does not help.
#[derive(Debug)]
pub enum FleetError {
    /// What it said, or that it cannot be reached.
    Redis(RedisError),
    /// It said nothing within that time.
    Silent(Duration),
    /// It said something that is no answer to what was asked.
    Strange(&'static str),
}

impl From<RedisError> for FleetError {
    fn from(error: RedisError) -> FleetError {
        FleetError::Redis(error)
    }
}

impl FleetError {
    /// It is the connection that fails, or nobody knows; otherwise Redis answered, and refused what it was asked.
    pub(super) fn is_of_link(&self) -> bool {
        match self {
            FleetError::Redis(error) => {
                error.code().is_none()
                    || error.is_io_error()
                    || error.is_timeout()
                    || error.is_connection_dropped()
                    || error.is_unrecoverable_error()
            }
            FleetError::Silent(_) => true,
            FleetError::Strange(_) => false,
        }
    }
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FleetError::Redis(error) => error.fmt(f),
            FleetError::Silent(time) => write!(f, "no answer within {time:?}"),
            FleetError::Strange(what) => write!(f, "an answer that is none: {what}"),
        }
    }
}

impl std::error::Error for FleetError {}
