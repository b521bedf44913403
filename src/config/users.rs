use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};
use std::path::PathBuf;

/// A file of names and password hashes, read; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// Where they stand.
    pub file: PathBuf,
    /// In the order of the file, each name once.
    pub list: Vec<(String, PasswordHash)>,
}

/// A password hash that is slow on purpose, and whose cost is bounded.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordHash {
    /// `$2y$10$…`
    Bcrypt {
        /// Rounds, as a power of two.
        cost: u32,
        /// Its salt.
        salt: [u8; 16],
        /// What the password gives.
        hash: [u8; BCRYPT_HASH_BYTES],
    },
    /// `$argon2id$v=19$m=…,t=…,p=…$…`
    Argon2id {
        /// KiB that it takes.
        memory: u32,
        /// How often it goes over them.
        passes: u32,
        /// How many could work at once.
        lanes: u32,
        /// Its salt.
        salt: Box<[u8]>,
        /// What the password gives.
        hash: Box<[u8]>,
    },
}

/// Why a hash is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashFault {
    /// A kind that gives passwords away: what it is called.
    Weak(&'static str),
    /// A kind that is not known here: what it is called.
    Unknown(&'static str),
    /// It begins as one of ours, and does not go on so.
    Malformed,
    /// One try would take too long, or too much memory.
    Dear,
}

/// Bytes of a bcrypt hash; its last one is dropped by all implementations.
pub const BCRYPT_HASH_BYTES: usize = 23;
/// A try takes about a second.
const BCRYPT_COST_MAX: u32 = 14;
/// What a try at an Argon2 hash may take.
const ARGON2_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Memory times passes: what a try takes in time.
const ARGON2_WORK_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_LANES_MAX: u32 = 16;
const ARGON2_SALT_BYTES_MIN: usize = 8;
const ARGON2_HASH_BYTES_MIN: usize = 16;
const ARGON2_PART_BYTES_MAX: usize = 64;
/// Below that, a stolen file gives its passwords away soon.
const BCRYPT_COST_WEAK: u32 = 9;

/// bcrypt's own base64.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// Beginnings of hashes that are not taken.
const OTHERS: &[(&str, HashFault)] = &[
    ("$apr1$", HashFault::Weak("an MD5 hash")),
    ("$1$", HashFault::Weak("an MD5 hash")),
    ("{SHA}", HashFault::Weak("a SHA-1 hash")),
    ("{SSHA}", HashFault::Weak("a SHA-1 hash")),
    ("{PLAIN}", HashFault::Weak("a password in clear text")),
    ("$2x$", HashFault::Weak("a hash of a broken bcrypt")),
    ("$5$", HashFault::Unknown("a SHA-256 crypt hash")),
    ("$6$", HashFault::Unknown("a SHA-512 crypt hash")),
    ("$y$", HashFault::Unknown("a yescrypt hash")),
    ("$argon2i$", HashFault::Unknown("an Argon2i hash")),
    ("$argon2d$", HashFault::Unknown("an Argon2d hash")),
    ("$scrypt$", HashFault::Unknown("a scrypt hash")),
    ("$pbkdf2", HashFault::Unknown("a PBKDF2 hash")),
];

impl PasswordHash {
    /// Reads bcrypt as `htpasswd -B` writes it, and Argon2id as `argon2` does.
    pub(crate) fn parse(text: &str) -> Result<PasswordHash, HashFault> {
        if let Some((_, fault)) = OTHERS.iter().find(|(start, _)| text.starts_with(start)) {
            return Err(*fault);
        }
        if let Some(rest) = text.strip_prefix("$argon2id$") {
            return argon2id(rest);
        }
        match ["$2a$", "$2b$", "$2y$"].iter().find_map(|start| text.strip_prefix(start)) {
            Some(rest) => bcrypt(rest),
            None if text.starts_with('$') => Err(HashFault::Unknown("a hash of a kind that is not known here")),
            None => Err(HashFault::Weak("a password in clear text, or a hash of the old crypt")),
        }
    }

    /// Whether it could be made so that a stolen file holds longer.
    pub(crate) fn is_cheap(&self) -> bool {
        matches!(self, PasswordHash::Bcrypt { cost, .. } if *cost < BCRYPT_COST_WEAK)
    }
}

/// What a hash is must stand in no message.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PasswordHash::Bcrypt { .. } => "Bcrypt(…)",
            PasswordHash::Argon2id { .. } => "Argon2id(…)",
        })
    }
}

/// `10$` and 53 characters: salt and hash.
fn bcrypt(rest: &str) -> Result<PasswordHash, HashFault> {
    const SALT_CHARS: usize = 22;
    let (cost, rest) = rest.split_once('$').filter(|(cost, _)| cost.len() == 2).ok_or(HashFault::Malformed)?;
    let cost = number(cost).ok_or(HashFault::Malformed)?;
    let (salt, hash) = rest.split_at_checked(SALT_CHARS).ok_or(HashFault::Malformed)?;
    let salt = BCRYPT_BASE64.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(HashFault::Malformed)?;
    let hash = BCRYPT_BASE64.decode(hash).ok().and_then(|hash| hash.try_into().ok()).ok_or(HashFault::Malformed)?;
    match cost {
        0..=3 => Err(HashFault::Malformed),
        cost if cost > BCRYPT_COST_MAX => Err(HashFault::Dear),
        cost => Ok(PasswordHash::Bcrypt { cost, salt, hash }),
    }
}

/// `v=19$m=19456,t=2,p=1$SALT$HASH`
fn argon2id(rest: &str) -> Result<PasswordHash, HashFault> {
    let mut parts = rest.split('$');
    let mut next = || parts.next().ok_or(HashFault::Malformed);
    let (version, costs, salt, hash) = (next()?, next()?, next()?, next()?);
    if version != "v=19" || parts.next().is_some() {
        return Err(HashFault::Malformed);
    }
    let mut costs = costs.split(',');
    let mut cost = |name: &str| costs.next()?.strip_prefix(name).and_then(number);
    let (Some(memory), Some(passes), Some(lanes)) = (cost("m="), cost("t="), cost("p=")) else {
        return Err(HashFault::Malformed);
    };
    let decode = |text: &str, min: usize| {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| HashFault::Malformed)?;
        let fits = (min..=ARGON2_PART_BYTES_MAX).contains(&bytes.len());
        fits.then(|| bytes.into_boxed_slice()).ok_or(HashFault::Malformed)
    };
    let (salt, hash) = (decode(salt, ARGON2_SALT_BYTES_MIN)?, decode(hash, ARGON2_HASH_BYTES_MIN)?);
    if costs.next().is_some() || passes == 0 || lanes == 0 || memory < 8 * lanes {
        return Err(HashFault::Malformed);
    }
    if memory > ARGON2_MEMORY_KIB_MAX || lanes > ARGON2_LANES_MAX || memory.saturating_mul(passes) > ARGON2_WORK_KIB_MAX
    {
        return Err(HashFault::Dear);
    }
    Ok(PasswordHash::Argon2id { memory, passes, lanes, salt, hash })
}

/// Digits, and nothing else.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What htpasswd and argon2 write for `secret`.
    const BCRYPT: &str = "$2y$04$mAmjVI9STysZZMR6/ZTmoehjadhXmboPaPDL6do3ENXN714E6OL16";
    const ARGON2: &str =
        "$argon2id$v=19$m=64,t=1,p=1$PpnqzJDTc0ctjD0cdXPFYQ$aeSNIKwWiIC1CpD2+V6A0EkOt1oVgkNJ3iEjespKyno";

    #[test]
    fn hashes_of_both_kinds_are_read() {
        assert!(matches!(PasswordHash::parse(BCRYPT), Ok(PasswordHash::Bcrypt { cost: 4, .. })));
        for start in ["$2a$", "$2b$"] {
            assert!(PasswordHash::parse(&BCRYPT.replace("$2y$", start)).is_ok());
        }
        let expected = PasswordHash::parse(ARGON2);
        assert!(matches!(expected, Ok(PasswordHash::Argon2id { memory: 64, passes: 1, lanes: 1, .. })));
    }

    #[test]
    fn what_is_weak_unknown_broken_or_too_dear_is_told_apart() {
        use HashFault::{Dear, Malformed, Unknown, Weak};
        let parse = |text: &str| PasswordHash::parse(text).unwrap_err();
        for text in ["secret", "", "aXyzzyXyzzy12", "$apr1$a$b", "$1$a$b", "{SHA}x", "{SSHA}x", "{PLAIN}x", "$2x$04$x"]
        {
            assert!(matches!(parse(text), Weak(_)), "{text}");
        }
        for text in
            ["$5$a$b", "$6$a$b", "$y$a", "$argon2i$v=19", "$argon2d$v=19", "$scrypt$a", "$pbkdf2-sha256$", "$7$"]
        {
            assert!(matches!(parse(text), Unknown(_)), "{text}");
        }
        let broken_bcrypt = ["$2y$", "$2y$4$x", "$2y$04$", &BCRYPT[..59], "$2y$é4$x", &format!("{BCRYPT}u")]
            .map(str::to_owned)
            .into_iter()
            .chain(["03", "+4", "xx"].map(|cost| BCRYPT.replace("$04$", &format!("${cost}$"))));
        broken_bcrypt.for_each(|text| assert_eq!(parse(&text), Malformed, "{text}"));
        for (from, to) in
            [("v=19", "v=16"), ("m=64", "m=7"), ("t=1", "t=0"), ("p=1", "p=0"), ("p=1", "p=1,q=1"), ("m=64", "m=+64")]
        {
            assert_eq!(parse(&ARGON2.replace(from, to)), Malformed, "{to}");
        }
        assert_eq!(parse(&format!("{ARGON2}$")), Malformed);
        assert_eq!(parse(&BCRYPT.replace("$04$", "$15$")), Dear);
        for (from, to) in [("m=64", "m=262145"), ("t=1", "t=99999999"), ("m=64,t=1,p=1", "m=200,t=1,p=17")] {
            assert_eq!(parse(&ARGON2.replace(from, to)), Dear, "{to}");
        }
    }

    #[test]
    fn nothing_of_a_hash_is_shown() {
        assert_eq!(format!("{:?}", PasswordHash::parse(BCRYPT).unwrap()), "Bcrypt(…)");
    }
}
