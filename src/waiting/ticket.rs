use super::Binding;
use aws_lc_rs::{constant_time, hmac};
use std::net::IpAddr;

/// What signs the tickets of one room.
pub struct Keys {
    signing: hmac::Key,
    binding: [u8; 16],
}

/// What a client shows: which number it has, and of what kind that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Waiting or inside.
    pub kind: Kind,
    /// First come, first served, by this.
    pub number: u64,
    /// When it was written, in seconds since the epoch.
    pub written: u64,
}

/// A ticket lets wait, a pass lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Has a place in the line, or is called.
    Ticket,
    /// Is inside.
    Pass,
}

/// Why a ticket is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Not one of ours: cut, garbled, made up, another room's, or of a secret that is gone.
    Forged,
    /// Ours, and another client's.
    Copied,
    /// Ours and this client's, but its turn is over.
    Spent,
}

impl Keys {
    /// Those of the room `name`, from the secret of all rooms.
    #[must_use]
    pub fn new(secret: &[u8; SECRET_BYTES], name: &str) -> Keys {
        let derive = |what: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::sign(&key, format!("weir waiting room\0{what}\0{name}").as_bytes())
        };
        let mut binding = [0; 16];
        binding.copy_from_slice(&derive("binding").as_ref()[..16]);
        Keys { signing: hmac::Key::new(hmac::HMAC_SHA256, derive("signing").as_ref()), binding }
    }

    /// What this client's tickets are bound to.
    #[must_use]
    pub fn binding(&self, address: Option<IpAddr>, agent: &[u8]) -> Binding {
        Binding::of(&self.binding, address, agent)
    }

    /// A ticket as the value of a cookie: hexadecimal digits.
    #[must_use]
    pub fn write(&self, ticket: &Ticket, binding: Binding) -> String {
        let mut bytes = [0; TICKET_BYTES];
        let (content, signature) = bytes.split_at_mut(CONTENT_BYTES);
        content[0] = match ticket.kind {
            Kind::Ticket => TICKET,
            Kind::Pass => PASS,
        };
        content[1..9].copy_from_slice(&ticket.number.to_be_bytes());
        content[9..17].copy_from_slice(&ticket.written.to_be_bytes());
        content[17..].copy_from_slice(&binding.0.to_be_bytes());
        signature.copy_from_slice(&self.sign(content));
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
    }

    /// Reads what [`write`](Self::write) wrote for this client.
    ///
    /// # Errors
    /// [`Bad::Forged`] or [`Bad::Copied`].
    pub fn read(&self, text: &[u8], binding: Binding) -> Result<Ticket, Bad> {
        let bytes = decode(text).ok_or(Bad::Forged)?;
        let (content, signature) = bytes.split_at(CONTENT_BYTES);
        constant_time::verify_slices_are_equal(&self.sign(content), signature).map_err(|_| Bad::Forged)?;
        let number = |at: usize| u64::from_be_bytes(std::array::from_fn(|n| content[at + n]));
        let kind = match content[0] {
            TICKET => Kind::Ticket,
            PASS => Kind::Pass,
            _ => return Err(Bad::Forged),
        };
        match number(17) == binding.0 {
            true => Ok(Ticket { kind, number: number(1), written: number(9) }),
            false => Err(Bad::Copied),
        }
    }

    /// HMAC-SHA-256 (RFC 2104), its first 16 bytes.
    fn sign(&self, content: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let tag = hmac::sign(&self.signing, content);
        std::array::from_fn(|at| tag.as_ref()[at])
    }
}

/// Exactly as many digits as a ticket has, in lower case: one ticket has one form.
fn decode(text: &[u8]) -> Option<[u8; TICKET_BYTES]> {
    let half = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != TICKET_BYTES * 2 {
        return None;
    }
    let mut bytes = [0; TICKET_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = half(pair[0])? << 4 | half(pair[1])?;
    }
    Some(bytes)
}

/// Of the secret that all keys are made of.
pub const SECRET_BYTES: usize = 32;

const TICKET: u8 = 1;
const PASS: u8 = 2;
/// Kind, number, time, binding.
const CONTENT_BYTES: usize = 1 + 8 + 8 + 8;
const SIGNATURE_BYTES: usize = 16;
const TICKET_BYTES: usize = CONTENT_BYTES + SIGNATURE_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> Keys {
        Keys::new(&[1; SECRET_BYTES], "sale")
    }

    fn client(keys: &Keys, last: u8) -> Binding {
        keys.binding(Some(IpAddr::from([192, 0, 2, last])), b"Firefox")
    }

    const TICKET: Ticket = Ticket { kind: Kind::Ticket, number: 7, written: 1_700_000_000 };

    #[test]
    fn what_is_written_is_read_by_the_same_client_only() {
        let keys = keys();
        let text = keys.write(&TICKET, client(&keys, 1));
        assert_eq!(keys.read(text.as_bytes(), client(&keys, 1)), Ok(TICKET));
        assert_eq!(keys.read(text.as_bytes(), client(&keys, 2)), Err(Bad::Copied));
    }

    #[test]
    fn tickets_of_other_rooms_secrets_and_kinds_are_forged() {
        let keys = keys();
        let client = client(&keys, 1);
        for theirs in [Keys::new(&[1; SECRET_BYTES], "sales"), Keys::new(&[2; SECRET_BYTES], "sale")] {
            assert_eq!(keys.read(theirs.write(&TICKET, client).as_bytes(), client), Err(Bad::Forged));
        }
        let mut pass = keys.write(&TICKET, client).into_bytes();
        pass[1] = b'2';
        assert_eq!(keys.read(&pass, client), Err(Bad::Forged));
    }

    #[test]
    fn what_is_cut_grown_or_written_otherwise_is_forged() {
        let keys = keys();
        let client = client(&keys, 1);
        let text = keys.write(&TICKET, client);
        for cut in 0..text.len() {
            assert_eq!(keys.read(&text.as_bytes()[..cut], client), Err(Bad::Forged));
        }
        for other in [format!("{text}0"), format!("0{text}"), text.to_uppercase(), format!("{text}\0\0")] {
            assert_eq!(keys.read(other.as_bytes(), client), Err(Bad::Forged), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_change_makes_it_forged(number: u64, written: u64, at in 0..TICKET_BYTES * 2, digit in 0..16u32) {
            let keys = keys();
            let client = client(&keys, 1);
            let ticket = Ticket { kind: Kind::Pass, number, written };
            let mut text = keys.write(&ticket, client).into_bytes();
            prop_assert_eq!(keys.read(&text, client), Ok(ticket));
            let digit = char::from_digit(digit, 16).unwrap() as u8;
            prop_assume!(text[at] != digit);
            text[at] = digit;
            prop_assert_eq!(keys.read(&text, client), Err(Bad::Forged));
        }

        #[test]
        fn garbage_is_forged(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let keys = keys();
            prop_assert_eq!(keys.read(&text, client(&keys, 1)), Err(Bad::Forged));
        }
    }
}
