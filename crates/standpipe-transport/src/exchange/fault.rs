//! What a failure of hyper's means, as one of our errors.

use std::error::Error as StdError;

use standpipe_core::{Error, ErrorKind, Phase, RequestSent};

use super::lease::Lease;
use crate::conn::Fault;

/// The error of a request that hyper had taken; `upload` is that of its body, if there is one.
pub(crate) fn of_exchange(error: hyper::Error, upload: Option<Error>, lease: &Lease) -> Error {
    let error = match upload {
        Some(own) => own.with_phase(Phase::Exchange),
        None => classify(error, lease, Phase::Exchange),
    };
    error.with_origin(lease.pool().key.origin().clone())
}

/// The error of a response body; `upload` is that of the request's, if there is one.
pub(crate) fn of_body(error: hyper::Error, upload: Option<Error>, lease: Option<&Lease>) -> Error {
    let mapped = match (upload, lease) {
        (Some(own), _) => own.with_phase(Phase::Body),
        (None, Some(lease)) => classify(error, lease, Phase::Body),
        (None, None) => plain(error).with_phase(Phase::Body),
    };
    let mapped = mapped.with_request_sent(RequestSent::Yes);
    match lease {
        Some(lease) => mapped.with_origin(lease.pool().key.origin().clone()),
        None => mapped,
    }
}

fn classify(error: hyper::Error, lease: &Lease, phase: Phase) -> Error {
    if let Some(own) = Error::find(&error) {
        // The user's body failed, under a request that may be half sent.
        return own.clone().with_phase(phase);
    }
    let stream = stream_fault(&error);
    let kind = match lease.meta().fault.get() {
        Fault::WriteTimeout => ErrorKind::WriteTimeout,
        Fault::Shutdown => ErrorKind::Shutdown,
        Fault::EndlessHead => ErrorKind::Protocol,
        Fault::None => stream.map_or_else(|| kind_of(&error), |(kind, _)| kind),
    };
    let untouched = match stream {
        Some((ErrorKind::StreamReset, true)) => {
            lease.meta().refuse_stream();
            true
        }
        Some((_, true)) => lease.meta().goaway.is_beyond_last_stream(),
        Some((_, false)) | None => false,
    };
    // One that asked for calm wants no haste.
    let calm = asks_for_calm(&error);
    let sent = if untouched || !lease.has_written() {
        RequestSent::No
    } else if !lease.is_shared() && lease.has_read() {
        RequestSent::Yes
    } else {
        RequestSent::Maybe
    };
    // A connection that had worked before and ended without a byte for this request: it was stale.
    let stale =
        lease.uses_before() > 0 && kind == ErrorKind::ConnectionClosed && sent != RequestSent::Yes;
    let mapped = sourced(kind, error)
        .with_phase(phase)
        .with_request_sent(sent);
    // Once there was a head, the peer has the request, whatever it says of the stream later.
    if phase == Phase::Exchange && (untouched || stale) && !calm {
        mapped.with_resend()
    } else {
        mapped
    }
}

fn plain(error: hyper::Error) -> Error {
    let kind = stream_fault(&error).map_or_else(|| kind_of(&error), |(kind, _)| kind);
    sourced(kind, error)
}

/// Each level says one thing: the causes are told by the sources, and not here as well.
fn sourced(kind: ErrorKind, error: hyper::Error) -> Error {
    let mapped = Error::new(kind);
    let mapped = match h2_of(&error).and_then(h2::Error::reason) {
        Some(reason) => mapped.with_message(format!("{reason:?}")),
        None => mapped,
    };
    mapped.with_source(error)
}

fn h2_of(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}

fn kind_of(error: &hyper::Error) -> ErrorKind {
    if error.is_parse() || error.is_parse_status() {
        ErrorKind::Protocol
    } else {
        ErrorKind::ConnectionClosed
    }
}

/// What HTTP/2 says of the stream, and whether the peer says that it did not touch the request
/// (RFC 9113, 8.7).
fn stream_fault(error: &hyper::Error) -> Option<(ErrorKind, bool)> {
    let h2 = h2_of(error)?;
    let refused = h2.is_remote() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
    if h2.is_remote() && h2.is_go_away() {
        // h2 gives this to the streams beyond the last one that the peer means to process, and to
        // those that were not begun any more; the others end with the connection's IO.
        Some((ErrorKind::ConnectionClosed, true))
    } else if h2.is_library() && (h2.is_reset() || h2.is_go_away()) {
        // What h2 found wrong with what the peer sent.
        Some((ErrorKind::Protocol, false))
    } else if h2.is_reset() {
        Some((ErrorKind::StreamReset, refused))
    } else if h2.is_io() {
        Some((ErrorKind::ConnectionClosed, false))
    } else {
        Some((ErrorKind::Protocol, false))
    }
}

fn asks_for_calm(error: &hyper::Error) -> bool {
    h2_of(error).and_then(h2::Error::reason) == Some(h2::Reason::ENHANCE_YOUR_CALM)
}
