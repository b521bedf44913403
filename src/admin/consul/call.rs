use crate::admin::drain::decoded;
use crate::registry::Status;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A service registers.
    Register,
    /// It leaves.
    Deregister(String),
    /// It is to get nothing for now, or something again.
    Maintain(String),
    /// A check of a service.
    AddCheck,
    /// No longer.
    RemoveCheck(String),
    /// How a check stands.
    Says(Status, String),
    /// How a check stands, in the content.
    Update(String),
    /// All services.
    Services,
    /// One.
    Service(String),
    /// All checks.
    Checks,
    /// The services of one name, with their checks.
    Health(String),
    /// The services of one name.
    Catalog(String),
    /// The names of services.
    Names,
    /// Who answers.
    Me,
    /// Who leads.
    Leader,
}

impl Call {
    pub(super) fn of(path: &str) -> Option<Call> {
        let rest = path.strip_prefix("/v1/")?;
        let id = |prefix: &str| {
            let id = rest.strip_prefix(prefix).filter(|id| !id.is_empty() && !id.contains('/'))?;
            Some(decoded(id)?.into_owned())
        };
        Some(match rest {
            "agent/service/register" => Call::Register,
            "agent/check/register" => Call::AddCheck,
            "agent/services" => Call::Services,
            "agent/checks" => Call::Checks,
            "agent/self" => Call::Me,
            "catalog/services" => Call::Names,
            "status/leader" => Call::Leader,
            _ => None
                .or_else(|| id("agent/service/deregister/").map(Call::Deregister))
                .or_else(|| id("agent/service/maintenance/").map(Call::Maintain))
                .or_else(|| id("agent/check/deregister/").map(Call::RemoveCheck))
                .or_else(|| id("agent/check/pass/").map(|id| Call::Says(Status::Passing, id)))
                .or_else(|| id("agent/check/warn/").map(|id| Call::Says(Status::Warning, id)))
                .or_else(|| id("agent/check/fail/").map(|id| Call::Says(Status::Critical, id)))
                .or_else(|| id("agent/check/update/").map(Call::Update))
                .or_else(|| id("agent/service/").map(Call::Service))
                .or_else(|| id("health/service/").map(Call::Health))
                .or_else(|| id("catalog/service/").map(Call::Catalog))?,
        })
    }

    /// Whether nothing changes for it.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Call::Services | Call::Service(_) | Call::Checks | Call::Health(_) | Call::Catalog(_) => true,
            Call::Names | Call::Me | Call::Leader => true,
            Call::Register | Call::Deregister(_) | Call::Maintain(_) | Call::AddCheck => false,
            Call::RemoveCheck(_) | Call::Says(..) | Call::Update(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_consul_and_no_others() {
        for (path, call) in [
            ("/v1/agent/service/register", Call::Register),
            ("/v1/agent/service/deregister/app-1", Call::Deregister("app-1".into())),
            ("/v1/agent/check/pass/service:app-1", Call::Says(Status::Passing, "service:app-1".into())),
            ("/v1/agent/check/warn/a%20b", Call::Says(Status::Warning, "a b".into())),
            ("/v1/agent/service/app-1", Call::Service("app-1".into())),
            ("/v1/health/service/app", Call::Health("app".into())),
        ] {
            assert_eq!(Call::of(path), Some(call));
        }
        for other in
            ["/v1/agent", "/v1/agent/check/pass/", "/v1/agent/check/pass/a/b", "/v1/pools/app/backends", "/v1/kv/a"]
        {
            assert_eq!(Call::of(other), None, "{other}");
        }
    }
}
