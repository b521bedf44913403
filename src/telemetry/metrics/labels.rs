//! Enums whose values are labels. A label once published stays.

/// Declares an enum with a stable label a variant.
macro_rules! labels {
    ($(#[$about:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident $label:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $doc])* $variant,)*
        }

        impl $name {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The label in metrics; it never changes.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $($name::$variant => $label,)*
                }
            }

            /// What it means, for the reference.
            pub(super) fn about(self) -> &'static str {
                match self {
                    $($name::$variant => concat!($($doc),*),)*
                }
            }
        }
    };
}

labels! {
    /// Why Weir itself declined an exchange that it understood.
    RefusalReason {
        /// Backends would disagree on where the path leads.
        Path "path",
        /// No route matches.
        NoRoute "no_route",
        /// The method is not served here (TRACE and CONNECT unless allowed, unknown methods).
        Method "method",
        /// The route does not let this client in.
        Access "access",
        /// Whether the route lets this client in cannot be known now.
        AccessUnknown "access_unknown",
        /// The content is longer than the route allows.
        BodyTooLarge "body_too_large",
        /// The host is not one that this connection may ask for.
        Misdirected "misdirected",
        /// An expectation other than 100-continue.
        Expectation "expectation",
        /// An upgrade that cannot be made.
        Upgrade "upgrade",
        /// The request went round in a circle.
        Loop "loop",
        /// The client wants only what is stored, and nothing is.
        OnlyIfCached "only_if_cached",
        /// The route is in maintenance.
        Maintenance "maintenance",
        /// A limit was used up.
        Limit "limit",
        /// The visitor has to wait.
        Waiting "waiting",
        /// Too many wait already.
        WaitingRoomFull "waiting_room_full",
        /// No backend of the pool may be used.
        NoBackend "no_backend",
        /// The pool has no backends: nobody is registered, or no name stands for one.
        PoolEmpty "pool_empty",
        /// The pool's queue is full, or the wait in it was too long.
        Queue "queue",
        /// Too much of the pool failed: it is given a rest.
        Breaker "breaker",
        /// The memory ceiling is reached.
        Memory "memory",
        /// The process ends.
        Draining "draining",
        /// Every attempt failed to connect.
        ConnectFailed "connect_failed",
        /// The backend took too long.
        BackendTimeout "backend_timeout",
        /// The backend closed before its response was complete.
        BackendClosed "backend_closed",
        /// The backend's response cannot be understood.
        BackendProtocol "backend_protocol",
    }
}

labels! {
    /// What a client sent that cannot be accepted as its protocol.
    ProtocolError {
        /// A request line that is none.
        RequestLine "request_line",
        /// A target in a form that its method does not allow, or with bytes that it may not hold.
        Target "target",
        /// A version that is not spoken.
        Version "version",
        /// A field name or value with bytes that it may not hold.
        Field "field",
        /// A line that ends in a bare LF, or a CR alone.
        LineEnd "line_end",
        /// A field continued on the next line.
        ObsFold "obs_fold",
        /// White space before the colon.
        SpaceBeforeColon "space_before_colon",
        /// Content-Length repeated, listed or not a number.
        ContentLength "content_length",
        /// Content-Length beside Transfer-Encoding.
        LengthAndCoding "length_and_coding",
        /// A transfer coding other than chunked, last and once.
        TransferCoding "transfer_coding",
        /// A malformed chunk.
        Chunk "chunk",
        /// Host missing, repeated, invalid, or not that of the target.
        Host "host",
        /// A head of too many bytes.
        HeadTooLarge "head_too_large",
        /// A head of too many fields.
        TooManyFields "too_many_fields",
        /// A head that did not come in time.
        HeadTimeout "head_timeout",
        /// A body that did not come in time.
        BodyTimeout "body_timeout",
        /// A bad PROXY header, or one from where none is believed.
        ProxyHeader "proxy_header",
        /// HTTP/2: a request with bad pseudo-fields, fields or length.
        H2Request "h2_request",
        /// HTTP/2: an error of the connection.
        H2Connection "h2_connection",
        /// HTTP/2: a flood of resets or other frames.
        H2Flood "h2_flood",
        /// Anything else.
        Other "other",
    }
}

labels! {
    /// How an attempt failed after its connection stood.
    AttemptFailure {
        /// No head in time, or no progress.
        Timeout "timeout",
        /// Closed or reset before the response was complete.
        Closed "closed",
        /// A response that cannot be understood.
        Protocol "protocol",
    }
}

labels! {
    /// What a cache made of a request (RFC 9211).
    CacheOutcome {
        /// A stored response was used as it is.
        Hit "hit",
        /// A stale one was used.
        Stale "stale",
        /// Nothing was stored under its key.
        UriMiss "uri_miss",
        /// Something was, but not for its selecting fields.
        VaryMiss "vary_miss",
        /// Its directives did not allow what is stored.
        Request "request",
        /// What is stored is stale, and was validated.
        Expired "expired",
        /// What is stored has not all of its range.
        Partial "partial",
        /// By its method it goes to the backend.
        Method "method",
        /// The cache is not used for it.
        Bypass "bypass",
    }
}

labels! {
    /// What became of a read from a cache's disk.
    DiskRead {
        /// It gave the response, every byte checked.
        Done "ok",
        /// The response was replaced or removed meanwhile.
        Gone "gone",
        /// Too many waited: it was not tried.
        Refused "refused",
        /// The disk failed. The response stays, as the next read may succeed.
        Failed "failed",
        /// Other bytes than were written: the response is dropped.
        Corrupt "corrupt",
    }
}

labels! {
    /// What became of a response that was to be written to a cache's disk.
    DiskWrite {
        /// It was written.
        Done "ok",
        /// Too much waited, it is larger than a segment, or the disk is given a rest: it was not tried.
        Dropped "dropped",
        /// The disk failed, or is full.
        Failed "failed",
    }
}

labels! {
    /// What an access made of a request.
    AccessVerdict {
        /// It was let through.
        Granted "granted",
        /// The client's network is not one that is let in.
        Network "network",
        /// It gave nothing by which the client could be known.
        Missing "missing",
        /// What it gave is wrong.
        Wrong "wrong",
        /// Its token's time is over.
        Expired "expired",
        /// The backend that was asked says no.
        Denied "denied",
        /// Too many passwords are to be checked already.
        Busy "busy",
        /// There are no keys, or the backend that was asked gave no answer.
        Failed "failed",
    }
}

labels! {
    /// Why a waiting room does not take a ticket.
    TicketFault {
        /// Not one of its own: cut, garbled, made up, or of a secret that is gone.
        Forged "forged",
        /// Another client's.
        Copied "copied",
        /// Its turn is over: it came in, or was given up.
        Spent "spent",
    }
}

labels! {
    /// What a limit made of a request.
    LimitOutcome {
        /// It was let in.
        Passed "passed",
        /// It was refused.
        Refused "refused",
        /// It would have been refused, if the limit did more than observe.
        Observed "observed",
        /// Its client is not limited.
        Excepted "excepted",
    }
}

labels! {
    /// What became of an encoded form of a stored response.
    Encoded {
        /// It is kept, for those who accept the coding.
        Kept "kept",
        /// It is not smaller: no form in that coding is made of the response again.
        NotSmaller "not_smaller",
        /// It has no room, or the response is not stored any more.
        Dropped "dropped",
    }
}

labels! {
    /// What became of a request that was to be copied.
    Mirrored {
        /// The copy was sent, whatever its answer.
        Sent "sent",
        /// There were too many copies at once, or the content was too long or broke off.
        Dropped "dropped",
    }
}
