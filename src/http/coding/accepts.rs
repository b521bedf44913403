use super::Coding;
use crate::http::accept::weight;
use crate::http::{FieldName, Fields};

/// What a client says of content codings in Accept-Encoding (RFC 9110 §12.5.3): a weight each, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepts {
    codings: [Option<u16>; Coding::ALL.len()],
    identity: Option<u16>,
    /// `*`: all that is not named.
    rest: Option<u16>,
}

impl Accepts {
    /// Reads all lines. Of a coding that is named twice the first mention counts; a malformed weight is none.
    #[must_use]
    pub fn of(accept: &Fields) -> Accepts {
        let mut accepts = Accepts::default();
        for member in accept.members(FieldName::AcceptEncoding).take(MEMBERS_MAX) {
            let mut parts = member.split(|&b| b == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(weight).unwrap_or(WEIGHT_MAX);
            if let Some(slot) = accepts.slot(name) {
                slot.get_or_insert(weight);
            }
        }
        accepts
    }

    /// How much the client wishes `coding`, in thousandths; 0: not at all, which is also what silence means here.
    ///
    /// By RFC 9110 §12.5.3 a request without Accept-Encoding accepts anything; those who send such requests are old
    /// programs and scripts that decode nothing, so they get the content as it is, as from every peer.
    #[must_use]
    pub fn weight(&self, coding: Coding) -> u16 {
        self.codings[coding as usize].or(self.rest).unwrap_or(0)
    }

    /// Whether the client refuses content without a coding (`identity;q=0`, or `*;q=0` without identity).
    #[must_use]
    pub fn refuses_identity(&self) -> bool {
        self.identity.or(self.rest) == Some(0)
    }

    /// The coding liked best, by weight, then in the order of `offered`. None: the content as it is, because nothing
    /// offered is acceptable or because the client wrote that it likes identity better.
    #[must_use]
    pub fn best(&self, offered: &[Coding]) -> Option<Coding> {
        let mut best = (None, self.identity.unwrap_or(0).max(1) - 1);
        for &coding in offered {
            let weight = self.weight(coding);
            if weight > best.1 {
                best = (Some(coding), weight);
            }
        }
        best.0
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<u16>> {
        match Coding::of(name) {
            Some(coding) => Some(&mut self.codings[coding as usize]),
            None if name.eq_ignore_ascii_case(b"identity") => Some(&mut self.identity),
            None if name == b"*" => Some(&mut self.rest),
            None => None,
        }
    }
}

/// The coding for a client: its own weights first, then the operator's order in `offered`. None: no coding, which is
/// also the answer where all is refused, since a 415 or 406 about it helps nobody (RFC 9110 §12.5.3: SHOULD send
/// without any).
#[must_use]
pub fn choose(accept: &Fields, offered: &[Coding]) -> Option<Coding> {
    Accepts::of(accept).best(offered)
}

/// Members of Accept-Encoding that are looked at.
const MEMBERS_MAX: usize = 64;
const WEIGHT_MAX: u16 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(lines: &[&str]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|line| fields.push(b"Accept-Encoding", line.as_bytes()));
        fields
    }

    #[test]
    fn the_client_weighs_first_and_the_operator_orders_what_is_equal() {
        for (lines, expected) in [
            (&[][..], "identity"),
            (&[""], "identity"),
            (&["gzip"], "gzip"),
            (&["GZip"], "gzip"),
            (&["x-gzip"], "gzip"),
            (&["gzip, deflate, br, zstd"], "zstd"),
            (&["gzip, deflate, br"], "br"),
            (&["gzip", "br"], "br"),
            (&["gzip;q=1.0, br;q=0.9"], "gzip"),
            (&["gzip ; Q=0.2 , br;q=0.1"], "gzip"),
            (&["zstd;q=0, *"], "br"),
            (&["*"], "zstd"),
            (&["*;q=0"], "identity"),
            (&["*;q=0, gzip"], "gzip"),
            (&["identity"], "identity"),
            (&["identity, gzip"], "gzip"),
            (&["identity;q=1, gzip;q=0.5"], "identity"),
            (&["identity;q=0"], "identity"),
            (&["identity;q=0, gzip;q=0.001"], "gzip"),
            (&["gzip;q=0.001"], "gzip"),
            (&["gzip;q=0"], "identity"),
            (&["gzip;q=0, gzip"], "identity"),
            (&["gzip;q=2"], "identity"),
            (&["gzip;q=x, br"], "br"),
            (&["deflate, compress, sdch"], "identity"),
            (&[";;,=,q=1"], "identity"),
        ] {
            let said = choose(&accept(lines), &Coding::ALL).map_or("identity", Coding::name);
            assert_eq!(said, expected, "{lines:?}");
        }
    }

    #[test]
    fn only_what_is_offered_is_chosen() {
        let browser = accept(&["gzip, deflate, br, zstd"]);
        assert_eq!(choose(&browser, &[Coding::Gzip, Coding::Zstd]), Some(Coding::Gzip));
        assert_eq!(choose(&browser, &[]), None);
        assert_eq!(choose(&accept(&["br"]), &[Coding::Gzip]), None);
    }

    #[test]
    fn identity_is_refused_by_name_or_by_the_rest() {
        for (line, refused) in [("identity;q=0", true), ("*;q=0", true), ("*;q=0, identity", false), ("gzip", false)] {
            assert_eq!(Accepts::of(&accept(&[line])).refuses_identity(), refused, "{line}");
        }
    }
}
