//! The side towards backends.
