use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use standpipe_transport::{Shutdown as TransportShutdown, ShutdownReport};

pin_project! {
    /// The future of [`Pool::shutdown`](super::Pool::shutdown).
    #[must_use = "the grace is kept by this future: dropped, what is under way may take any time"]
    #[derive(Debug)]
    pub struct Shutdown {
        #[pin]
        transport: Option<TransportShutdown>,
        waiting: usize,
    }
}

impl Shutdown {
    /// `waiting` requests were failed above the transport.
    pub(super) fn new(transport: Option<TransportShutdown>, waiting: usize) -> Self {
        Self { transport, waiting }
    }
}

impl Future for Shutdown {
    type Output = ShutdownReport;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ShutdownReport> {
        let this = self.project();
        let mut report = match this.transport.as_pin_mut() {
            Some(transport) => ready!(transport.poll(cx)),
            None => ShutdownReport::default(),
        };
        report.waiting += *this.waiting;
        Poll::Ready(report)
    }
}
