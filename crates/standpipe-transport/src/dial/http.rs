//! The HTTP handshake: from a finished stream to a driven connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use standpipe_core::{ConnectionFacts, Error, ErrorKind, Phase, RequestSent};
use tokio::time::Instant;

use super::attend::Attend;
use super::open::Opened;
use super::{Bound, Dial};
use crate::config::Http1Config;
use crate::conn::{Channel, ConnMeta, DialGuard, Driver, PooledIo};
use crate::exchange::SendBody;
use crate::pool::Slot;

/// A number for each connection of the process. It is no part of any state machine, so it is a
/// plain atomic that may be a static.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// How many streams a client can begin on a connection: their numbers are odd and below 2^31
/// (RFC 9113, 5.1.1).
const STREAM_IDS: u64 = 1 << 30;

/// How many requests a connection may carry where so many are allowed.
fn uses_of(allowed: u64, http2: bool) -> u64 {
    if http2 {
        allowed.min(STREAM_IDS)
    } else {
        allowed
    }
}

impl Dial {
    /// The HTTP handshake; from here on the driver has the connection.
    pub(super) async fn hand_over(self, opened: Opened, slot: Slot, guard: DialGuard) {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let version = if opened.http2 {
            http::Version::HTTP_2
        } else {
            http::Version::HTTP_11
        };
        let mut facts = ConnectionFacts::new(id, version, Instant::now());
        facts.peer = opened.peer;
        facts.local = opened.local;
        facts.dns_time = opened.dns_time;
        facts.connect_time = opened.connect_time;
        facts.tls_time = opened.tls_time;
        let limits = &self.lifetimes;
        let pings = self.config.http2.keep_alive_interval;
        let uses = uses_of(limits.max_requests, opened.http2);
        let meta = ConnMeta::new(facts, opened.http2, uses).pinged(pings.filter(|_| opened.http2));
        let meta = Arc::new(meta);
        let write_timeout = self.config.timeouts.write_idle;
        let end = Arc::clone(&meta);
        let io = PooledIo::new(opened.stream, Arc::clone(&meta), slot, write_timeout);
        let lifetime = limits.lifetime_of(id);
        let idle = limits.idle_timeout;
        let io = TokioIo::new(io);
        if opened.http2 {
            let timeout = self.config.timeouts.tls;
            let handshake = async { self.http2().handshake(io).await.map_err(http_error) };
            match Bound::begin(timeout)
                .keep(ErrorKind::TlsTimeout, handshake)
                .await
            {
                Ok((sender, connection)) => {
                    let channel = Channel::shared(sender, meta);
                    let limit = |connection: &http2::Connection<_, SendBody, _>| {
                        Some(connection.current_max_send_streams())
                    };
                    let pool = &self.pool;
                    let driver =
                        Driver::new(connection, limit, channel, guard, pool, idle, lifetime);
                    let driver = driver.settings_within(timeout);
                    drop(tokio::spawn(Attend::new(driver, end, self.pool, self.bell)));
                }
                Err(error) => guard.fail(error.with_phase(Phase::Dial)),
            }
            return;
        }
        match self.http1().handshake(io).await {
            Ok((sender, connection)) => {
                let channel = Channel::exclusive(sender, meta);
                let connection = connection.with_upgrades();
                let pool = &self.pool;
                let driver =
                    Driver::new(connection, |_| None, channel, guard, pool, idle, lifetime);
                drop(tokio::spawn(Attend::new(driver, end, self.pool, self.bell)));
            }
            Err(error) => guard.fail(http_error(error).with_phase(Phase::Dial)),
        }
    }

    fn http1(&self) -> http1::Builder {
        let config = &self.config.http1;
        let mut builder = http1::Builder::new();
        builder.max_header_size(config.max_head_size);
        let hypers_own = Http1Config::default().max_headers;
        if config.max_headers != hypers_own {
            // Once it is set, hyper fills its scratch space anew for each response.
            builder.max_headers(config.max_headers);
        }
        builder
    }

    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let config = &self.config.http2;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            // Until the peer has told its limit, one stream is surely allowed.
            .initial_max_send_streams(1)
            .keep_alive_interval(config.keep_alive_interval)
            .keep_alive_timeout(config.keep_alive_timeout)
            .keep_alive_while_idle(config.keep_alive_while_idle);
        if config.initial_stream_window.is_some() {
            builder.initial_stream_window_size(config.initial_stream_window);
        }
        if config.initial_connection_window.is_some() {
            builder.initial_connection_window_size(config.initial_connection_window);
        }
        builder
    }
}

fn http_error(error: hyper::Error) -> Error {
    Error::new(ErrorKind::Protocol)
        .with_request_sent(RequestSent::No)
        .with_message("the HTTP handshake failed")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H2-28: the ids run out after a billion requests, so that only the cap can be seen.
    #[test]
    fn an_http2_connection_carries_no_more_requests_than_it_has_stream_ids() {
        let last_id = 2 * (uses_of(u64::MAX, true) - 1) + 1;
        assert_eq!(last_id, u64::from(u32::MAX >> 1));
        assert_eq!(uses_of(3, true), 3);
        assert_eq!(uses_of(u64::MAX, false), u64::MAX);
    }
}
