/// Who is served first where not all can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    High,
    /// What nothing is said of.
    #[default]
    Normal,
    /// What is left.
    Low,
}

impl Priority {
    /// All of them, the first to be served first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// As in the configuration and in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

/// `priority` of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutePriority {
    /// That of all its requests.
    Fixed(Priority),
    /// What the client says (RFC 9218).
    Client,
}
