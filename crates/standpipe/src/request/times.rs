use std::time::Duration;

use http::Uri;
use standpipe_timeout::RequestTimeout;

use super::RequestBuilder;
use crate::Pool;

/// How long a streaming body may be silent where neither the request nor the pool says it. A model
/// that thinks is silent for minutes.
const STREAM_IDLE: Duration = Duration::from_secs(300);

/// What was said of a request's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    total: Option<Duration>,
    head: Option<Duration>,
    idle: Option<Duration>,
}

impl Times {
    /// What the layer is to hold a request to `uri` to; none where that is what it does anyway.
    pub(super) fn in_force(
        self,
        pool: &Pool,
        uri: &Uri,
        streaming: bool,
    ) -> Option<RequestTimeout> {
        if self == Self::default() && !streaming {
            return None;
        }
        let (total, idle) = pool.times_of(uri);
        let times = match streaming {
            false => Self {
                total: self.total.or(total),
                idle: self.idle.or(idle),
                ..self
            },
            // A total of the request's own bounds the head as well.
            true => Self {
                head: self.head.or(total.filter(|_| self.total.is_none())),
                idle: self
                    .idle
                    .or(idle)
                    .or(pool.config().body_idle_timeout)
                    .or(Some(STREAM_IDLE)),
                ..self
            },
        };
        let mut timeout = times
            .total
            .map_or(RequestTimeout::none(), RequestTimeout::total);
        if let Some(head) = times.head {
            timeout = timeout.head(head);
        }
        if let Some(idle) = times.idle {
            timeout = timeout.body_idle(idle);
        }
        Some(timeout)
    }
}

/// Its time.
impl RequestBuilder {
    /// How long the whole may take, in place of the pool's `request_timeout`: shorter or longer.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.wishing(|wish| wish.times.total = Some(timeout))
    }

    /// How long it may take until the response head is there: waiting and retries included, the body
    /// not. Its error is [`ResponseTimeout`](crate::ErrorKind::ResponseTimeout).
    ///
    /// Unless set, [`send`](RequestBuilder::send) has none beside the whole's, and
    /// [`send_streaming`](RequestBuilder::send_streaming) takes the pool's `request_timeout` for it. The
    /// pool's `response_header_timeout` bounds each attempt's wait all the same.
    pub fn head_timeout(self, timeout: Duration) -> Self {
        self.wishing(|wish| wish.times.head = Some(timeout))
    }

    /// How long the reader of the body may wait for its next bytes; a reader that takes its time does
    /// not trip it.
    ///
    /// Unless set, it is the pool's `body_idle_timeout`, and with
    /// [`send_streaming`](RequestBuilder::send_streaming) 5 minutes where the pool has none. Of the
    /// request's and the pool's the shorter holds.
    pub fn body_idle_timeout(self, timeout: Duration) -> Self {
        self.wishing(|wish| wish.times.idle = Some(timeout))
    }
}
