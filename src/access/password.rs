use super::Tag;
use crate::config::{BCRYPT_HASH_BYTES, PasswordHash, Users};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use std::collections::HashMap;

/// The users of a file, ready to be asked for.
#[derive(Debug)]
pub struct Passwords {
    by_name: HashMap<String, usize>,
    hashes: Vec<PasswordHash>,
    secret: hmac::Key,
}

impl Passwords {
    /// Of `users`, of whom there is one at least. `secret` is random.
    #[must_use]
    pub fn build(users: &Users, secret: &[u8; 32]) -> Passwords {
        let by_name = users.list.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        let hashes = users.list.iter().map(|(_, hash)| hash.clone()).collect();
        Passwords { by_name, hashes, secret: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Whether `password` is that of `name`. It takes tens of milliseconds and more, on purpose: not for a thread that
    /// serves. For a name that is unknown it takes as long as for one that is known.
    #[must_use]
    pub fn verify(&self, name: &str, password: &str) -> bool {
        let known = self.by_name.get(name).copied();
        let Some(hash) = self.hashes.get(known.unwrap_or_else(|| self.decoy(name))) else { return false };
        matches(hash, password.as_bytes()) && known.is_some()
    }

    /// Who stands in for a name that is unknown: always the same for that name, so that each looks like one of the file.
    fn decoy(&self, name: &str) -> usize {
        let tag = hmac::sign(&self.secret, name.as_bytes());
        let lot = tag.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        usize::try_from(lot % self.hashes.len().max(1) as u64).unwrap_or(0)
    }

    /// What stands for a name and a password in memory.
    #[must_use]
    pub fn tag(&self, name: &str, password: &str) -> Tag {
        // A name has no colon.
        Tag::of(&self.secret, &[name.as_bytes(), b":", password.as_bytes()])
    }
}

fn matches(hash: &PasswordHash, password: &[u8]) -> bool {
    match hash {
        PasswordHash::Bcrypt { cost, salt, hash } => {
            let mut key = [password, b"\0"].concat();
            // As all implementations have it; what is longer is cut.
            key.truncate(BCRYPT_KEY_BYTES_MAX);
            let found = bcrypt::bcrypt(*cost, *salt, &key);
            verify_slices_are_equal(&found[..BCRYPT_HASH_BYTES], hash).is_ok()
        }
        PasswordHash::Argon2id { memory, passes, lanes, salt, hash } => {
            let Ok(params) = Params::new(*memory, *passes, *lanes, Some(hash.len())) else { return false };
            let mut found = vec![0; hash.len()];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            argon2.hash_password_into(password, salt, &mut found).is_ok()
                && verify_slices_are_equal(&found, hash).is_ok()
        }
    }
}

const BCRYPT_KEY_BYTES_MAX: usize = 72;

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the bcrypt and argon2-cffi packages of Python.
    const LINES: &[(&str, &str)] = &[
        ("ann", "$2y$04$mAmjVI9STysZZMR6/ZTmoehjadhXmboPaPDL6do3ENXN714E6OL16"),
        ("jürgen", "$2b$04$gZYQWtXTfN4r1hvheVPNQOKmmHywIUczkP47EGe1nkW6d8uULbJRK"),
        ("bob", "$argon2id$v=19$m=64,t=1,p=1$PpnqzJDTc0ctjD0cdXPFYQ$aeSNIKwWiIC1CpD2+V6A0EkOt1oVgkNJ3iEjespKyno"),
    ];

    fn passwords() -> Passwords {
        let user = |(name, hash): &(&str, &str)| ((*name).to_owned(), PasswordHash::parse(hash).unwrap());
        Passwords::build(&Users { file: "users".into(), list: LINES.iter().map(user).collect() }, &[7; 32])
    }

    #[test]
    fn who_knows_the_password_is_known_and_nobody_else() {
        let passwords = passwords();
        assert!(passwords.verify("ann", "secret") && passwords.verify("bob", "secret"));
        assert!(passwords.verify("jürgen", "sésame ouvre-toi"));
        for (name, password) in
            [("ann", ""), ("ann", "Secret"), ("bob", "secret "), ("Ann", "secret"), ("eve", "secret"), ("", "secret")]
        {
            assert!(!passwords.verify(name, password), "{name}:{password}");
        }
    }

    #[test]
    fn a_name_that_is_unknown_costs_what_some_known_one_costs() {
        let passwords = passwords();
        let seen: std::collections::HashSet<_> = (0..200).map(|n| passwords.decoy(&format!("user{n}"))).collect();
        assert_eq!(seen.len(), LINES.len(), "any of the file stands in");
        assert_eq!(passwords.decoy("eve"), passwords.decoy("eve"));
    }

    #[test]
    fn a_tag_is_of_name_and_password_and_of_the_secret() {
        let one = passwords();
        assert!(one.tag("a", "b") == one.tag("a", "b"));
        assert!(one.tag("a", "bc") != one.tag("ab", "c") && one.tag("a", "b") != one.tag("a", "c"));
    }
}
