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
