//! Opening a connection: a task of its own that no request owns.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use standpipe_core::{ConnectionFacts, Error, ErrorKind, Origin, Phase};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::config::Protocol;
use crate::conn::{BoxIo, Channel, ConnMeta, DialGuard, Driver, PooledIo, Stream};
use crate::connect::Connected;
use crate::events::CloseReason;
use crate::exchange::SendBody;
use crate::key::DialConfig;
use crate::pool::{Bell, DialTag, Lifetimes, OriginPool, Permit, Slot};

/// A number for each connection of the process. It is no part of any state machine, so it is a
/// plain atomic that may be a static.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// How long a dial pauses that follows a failed one while connections of its origin are in use.
const PAUSE: Duration = Duration::from_millis(500);

/// Begins a dial with `permit` on the current runtime. `tag` tells for whom it stands.
pub(crate) fn spawn(pool: &Arc<OriginPool>, permit: Permit<OriginPool>, tag: DialTag) {
    let guard = DialGuard::new(pool, tag);
    let slot = Slot::new(pool, permit);
    let dial = Dial {
        pool: Arc::downgrade(pool),
        origin: pool.key.origin().clone(),
        config: Arc::clone(&pool.config),
        lifetimes: Arc::clone(&pool.shared.lifetimes),
        bell: pool.shared.alive.enter(),
    };
    let closed = pool.shared.closed();
    match Handle::try_current() {
        Ok(runtime) => {
            // The last handle of the transport takes its dials along.
            let dialing = async move {
                closed
                    .run_until_cancelled(dial.begin(slot, guard, tag.pauses))
                    .await
            };
            drop(runtime.spawn(dialing));
        }
        Err(error) => {
            drop(slot);
            let error = Error::new(ErrorKind::Runtime).with_source(error);
            guard.fail(error.with_phase(Phase::Dial));
        }
    }
}

struct Dial {
    /// Weak, so that a dial does not keep a pool alive that nobody uses any more.
    pool: Weak<OriginPool>,
    origin: Origin,
    config: Arc<DialConfig>,
    lifetimes: Arc<Lifetimes>,
    /// A task is alive as long as this.
    bell: Bell,
}

/// A finished stream and how it came about.
struct Opened {
    stream: Stream,
    http2: bool,
    connected: Facts,
    connect_time: Duration,
    tls_time: Option<Duration>,
}

struct Facts {
    peer: Option<std::net::SocketAddr>,
    local: Option<std::net::SocketAddr>,
}

impl Dial {
    /// One that follows a failed dial pauses first, and may find itself needless then.
    async fn begin(self, slot: Slot, guard: DialGuard, pauses: bool) {
        if pauses {
            tokio::time::sleep(PAUSE).await;
            let pool = self.pool.upgrade();
            if pool.is_none_or(|pool| !pool.wants_dial()) {
                drop(slot);
                return guard.abandon();
            }
        }
        self.run(slot, guard).await;
    }

    async fn run(self, slot: Slot, guard: DialGuard) {
        match self.open().await {
            Ok(opened) => self.hand_over(opened, slot, guard).await,
            Err(error) => {
                drop(slot);
                guard.fail(error.with_phase(Phase::Dial));
            }
        }
    }

    async fn open(&self) -> Result<Opened, Error> {
        let timeouts = &self.config.timeouts;
        let begun = Instant::now();
        let uri = self.origin.to_uri();
        let connecting = self.config.connector.connect(uri);
        let connected = within(timeouts.connect, ErrorKind::ConnectTimeout, async {
            connecting.await.map_err(connect_error)
        })
        .await?;
        let connect_time = begun.elapsed();
        let Connected {
            io,
            peer,
            local,
            negotiated_h2,
        } = connected;
        let facts = Facts { peer, local };
        let origin = &self.origin;
        if !origin.is_https() || self.config.tls_by_connector {
            let http2 = negotiated_h2 || self.config.protocol == Protocol::Http2;
            return Ok(Opened {
                stream: Stream::Plain(io),
                http2,
                connected: facts,
                connect_time,
                tls_time: None,
            });
        }
        let begun = Instant::now();
        let handshake = self.shake_hands(io, origin.host_unbracketed());
        let (stream, http2) = within(timeouts.tls, ErrorKind::TlsTimeout, handshake).await?;
        Ok(Opened {
            stream,
            http2,
            connected: facts,
            connect_time,
            tls_time: Some(begun.elapsed()),
        })
    }

    async fn shake_hands(&self, io: BoxIo, host: &str) -> Result<(Stream, bool), Error> {
        let tls = &self.config.tls;
        let name = tls.server_name(host)?;
        let connector = TlsConnector::from(tls.client_config().await?);
        let stream = connector.connect(name, io).await.map_err(|error| {
            Error::new(ErrorKind::Tls)
                .with_message(error.to_string())
                .with_source(error)
        })?;
        let negotiated = stream.get_ref().1.alpn_protocol();
        let http2 = negotiated == Some(b"h2");
        if !http2 && self.config.protocol == Protocol::Http2 {
            return Err(Error::new(ErrorKind::Protocol)
                .with_request_sent(standpipe_core::RequestSent::No)
                .with_message("the server did not agree to speak HTTP/2"));
        }
        Ok((Stream::Tls(Box::new(stream)), http2))
    }

    /// The HTTP handshake; from here on the driver has the connection.
    async fn hand_over(self, opened: Opened, slot: Slot, guard: DialGuard) {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let version = if opened.http2 {
            http::Version::HTTP_2
        } else {
            http::Version::HTTP_11
        };
        let mut facts = ConnectionFacts::new(id, version, Instant::now());
        facts.peer = opened.connected.peer;
        facts.local = opened.connected.local;
        facts.connect_time = opened.connect_time;
        facts.tls_time = opened.tls_time;
        let limits = &self.lifetimes;
        let meta = Arc::new(ConnMeta::new(facts, opened.http2, limits.max_requests));
        let write_timeout = self.config.timeouts.write_idle;
        let end = Arc::clone(&meta);
        let io = PooledIo::new(opened.stream, Arc::clone(&meta), slot, write_timeout);
        let lifetime = limits.lifetime_of(id);
        let idle = limits.idle_timeout;
        let io = TokioIo::new(io);
        if opened.http2 {
            let timeout = self.config.timeouts.tls;
            let handshake = async { self.http2().handshake(io).await.map_err(http_error) };
            match within(timeout, ErrorKind::TlsTimeout, handshake).await {
                Ok((sender, connection)) => {
                    let channel = Channel::shared(sender, meta);
                    let limit = |connection: &http2::Connection<_, SendBody, _>| {
                        Some(connection.current_max_send_streams())
                    };
                    let pool = &self.pool;
                    let driver =
                        Driver::new(connection, limit, channel, guard, pool, idle, lifetime);
                    let driver = driver.settings_within(timeout);
                    drop(tokio::spawn(attend(driver, end, self.pool, self.bell)));
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
                drop(tokio::spawn(attend(driver, end, self.pool, self.bell)));
            }
            Err(error) => guard.fail(http_error(error).with_phase(Phase::Dial)),
        }
    }

    fn http1(&self) -> http1::Builder {
        let config = &self.config.http1;
        let mut builder = http1::Builder::new();
        builder
            .max_headers(config.max_headers)
            .max_header_size(config.max_head_size);
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

/// Drives a connection, and sees to it that one which was used and has ended is replaced where a number of
/// connections is to be kept. One that nobody used is not: else a server that closes what idles would be
/// dialled for ever.
async fn attend(
    driver: impl Future<Output = ()>,
    meta: Arc<ConnMeta>,
    pool: Weak<OriginPool>,
    _bell: Bell,
) {
    driver.await;
    let reason = meta.end.reason().unwrap_or(CloseReason::Peer);
    if meta.uses() > 0
        && reason.calls_for_another()
        && let Some(pool) = pool.upgrade()
    {
        pool.replenish();
    }
}

async fn within<T>(
    timeout: Option<Duration>,
    kind: ErrorKind,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(timeout) = timeout else {
        return future.await;
    };
    match tokio::time::timeout(timeout, future).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(kind).with_message(format!("the limit is {timeout:?}"))),
    }
}

fn http_error(error: hyper::Error) -> Error {
    Error::new(ErrorKind::Protocol)
        .with_request_sent(standpipe_core::RequestSent::No)
        .with_message("the HTTP handshake failed")
        .with_source(error)
}

/// A connector's error, told apart by what is known of its kind.
fn connect_error(error: standpipe_core::BoxError) -> Error {
    if let Some(known) = Error::find(error.as_ref()) {
        return known.clone();
    }
    let mut message = error.to_string();
    let mut kind = ErrorKind::Connect;
    let mut next = error.source();
    if message.contains("dns error") {
        // hyper-util's resolver has no other mark.
        kind = ErrorKind::Dns;
    }
    while let Some(source) = next {
        message = format!("{message}: {source}");
        next = source.source();
    }
    Error::new(kind).with_message(message).with_source(error)
}
