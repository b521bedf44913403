use super::Refusal;
use crate::telemetry::metrics::ProtocolError;
use crate::wire::h1::parse::Bad;

/// Under which label a client's fault is counted.
#[must_use]
pub fn protocol_error(refusal: Refusal) -> ProtocolError {
    match refusal {
        Refusal::Head(bad) => of_head(bad),
        Refusal::HeadTimeout => ProtocolError::HeadTimeout,
        Refusal::BodyTimeout => ProtocolError::BodyTimeout,
        Refusal::Body(_) => ProtocolError::Chunk,
        _ => ProtocolError::Other,
    }
}

fn of_head(bad: Bad) -> ProtocolError {
    match bad {
        Bad::LineEnd | Bad::EmptyLines => ProtocolError::LineEnd,
        Bad::Tls => ProtocolError::Other,
        Bad::RequestLine | Bad::Method | Bad::StatusLine => ProtocolError::RequestLine,
        Bad::Target => ProtocolError::Target,
        Bad::Version | Bad::VersionUnsupported => ProtocolError::Version,
        Bad::FieldName | Bad::FieldValue => ProtocolError::Field,
        Bad::SpaceBeforeColon => ProtocolError::SpaceBeforeColon,
        Bad::Fold => ProtocolError::ObsFold,
        Bad::TooManyFields => ProtocolError::TooManyFields,
        Bad::TooLarge => ProtocolError::HeadTooLarge,
        Bad::Host | Bad::HostMismatch => ProtocolError::Host,
        Bad::ContentLength => ProtocolError::ContentLength,
        Bad::LengthConflict => ProtocolError::LengthAndCoding,
        Bad::TransferEncoding | Bad::TransferCodingUnknown => ProtocolError::TransferCoding,
    }
}
