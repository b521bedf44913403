use super::{Place, PoolId, Users};
use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;

/// `[access.NAME]`: who may use the routes that name it. All that is said must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where it was declared.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// `allow`: only clients in these; empty allows all.
    pub allow: Vec<IpNet>,
    /// `deny`: no clients in these, whatever `allow` says.
    pub deny: Vec<IpNet>,
    /// `basic` or `jwt`: how clients prove who they are.
    pub proof: Option<Proof>,
    /// `ask`: a backend that is asked each time.
    pub ask: Option<AskAccess>,
}

/// Index into [`Config::accesses`](super::Config::accesses).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccessId(pub usize);

/// How clients prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// `basic`: by name and password (RFC 7617).
    Basic(Basic),
    /// `jwt`: by a signed token (RFC 7519).
    Jwt(Jwt),
}

/// `basic`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    /// `file`, read.
    pub users: Users,
    /// `realm`: shown to whoever is asked for a password.
    pub realm: String,
    /// `user`: the request field that tells the backend the name, in lower case.
    pub user: Option<String>,
}

/// `jwt`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// `jwks`: where the keys are.
    pub keys: KeySource,
    /// `issuer`: what `iss` must be.
    pub issuer: String,
    /// `audience`: `aud` must hold one of these; empty takes all.
    pub audience: Vec<String>,
    /// `algorithms`: no other is ever used.
    pub algorithms: Vec<Algorithm>,
    /// `from`: where in the request the token is.
    pub from: TokenFrom,
    /// `leeway`: by how much clocks may differ.
    pub leeway: Duration,
    /// `fields`: request fields that tell the backend of claims; names in lower case.
    pub fields: Vec<(String, Claim)>,
}

/// `jwks`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `{ file = "…" }`
    File {
        /// Where it is.
        path: PathBuf,
        /// Its content.
        text: Vec<u8>,
    },
    /// `{ url = "…" }`
    Url(KeyUrl),
}

/// A URL at which keys are fetched again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUrl {
    /// By TLS.
    pub is_https: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// 443 or 80 unless said.
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// `ca`: authorities that are trusted instead of Mozilla's.
    pub ca: Option<PathBuf>,
    /// `every`: how long keys are used until they are fetched again.
    pub every: Duration,
}

impl KeyUrl {
    /// Host and port as they stand in a URL.
    #[must_use]
    pub fn authority(&self) -> String {
        let KeyUrl { is_https, host, port, .. } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match (is_https, port) {
            (true, 443) | (false, 80) => host,
            _ => format!("{host}:{port}"),
        }
    }
}

impl std::fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http{}://{}{}", if self.is_https { "s" } else { "" }, self.authority(), self.target)
    }
}

/// A signature algorithm of JWS (RFC 7518 §3.1, RFC 8037). None of them takes a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
}

impl Algorithm {
    /// As `alg` spells them, each once.
    pub const NAMES: &'static [&'static str] =
        &["ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

    const ALL: &'static [Algorithm] = &[
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ];

    /// The one that `alg` spells so; RFC 9864 calls EdDSA on its one curve here `Ed25519`.
    #[must_use]
    pub fn named(name: &str) -> Option<Algorithm> {
        if name == "Ed25519" {
            return Some(Algorithm::EdDsa);
        }
        Self::NAMES.iter().zip(Self::ALL).find(|(other, _)| **other == name).map(|(_, algorithm)| *algorithm)
    }
}

/// `from`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// `authorization`: `Bearer` (RFC 6750).
    Authorization,
    /// `cookie:NAME`
    Cookie(String),
    /// `field:NAME`, in lower case.
    Field(String),
}

/// A claim by its name, or by a JSON pointer (RFC 6901) if it lies deeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `sub`
    Name(String),
    /// `/realm_access/roles`
    Pointer(String),
}

/// `ask`: a subrequest to an authorising backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskAccess {
    /// `pool`: who is asked.
    pub pool: PoolId,
    /// `path`, perhaps with a query.
    pub path: String,
    /// `host`: the Host that it sees; none: that of the request.
    pub host: Option<String>,
    /// `timeout`: for the whole answer.
    pub timeout: Duration,
    /// `fields`: of its answer, that go to the backend; in lower case.
    pub fields: Vec<String>,
    /// `user`: the one of them that names the user.
    pub user: Option<String>,
}

impl Access {
    /// The request fields by which backends are told of the outcome, in lower case: what clients say there is not
    /// passed on.
    pub fn own_fields(&self) -> impl Iterator<Item = &str> {
        let (basic, jwt) = match &self.proof {
            Some(Proof::Basic(basic)) => (basic.user.as_ref(), None),
            Some(Proof::Jwt(jwt)) => (None, Some(jwt.fields.iter().map(|(name, _)| name))),
            None => (None, None),
        };
        let asked = self.ask.iter().flat_map(|ask| ask.fields.iter().chain(&ask.user));
        basic.into_iter().chain(jwt.into_iter().flatten()).chain(asked).map(String::as_str)
    }
}
