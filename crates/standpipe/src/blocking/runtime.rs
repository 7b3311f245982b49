use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use standpipe_core::{Closing, Error, ErrorKind, Phase, RequestSent};
use tokio::runtime::{Builder, Handle};

use super::context::is_async;

const NAME: &str = "standpipe";

/// A runtime on one thread of its own, until this is dropped.
#[derive(Debug)]
pub(super) struct Runtime {
    handle: Handle,
    ended: Closing,
}

impl Runtime {
    pub(super) fn start() -> Result<Self, Error> {
        let mut builder = Builder::new_current_thread();
        let built = builder.thread_name(NAME).enable_all().build();
        let owned = Owned(Some(built.map_err(|error| not_started(&error))?));
        let runtime = Self {
            handle: owned.handle(),
            ended: Closing::new(),
        };
        let ended = runtime.ended.clone();
        let thread = thread::Builder::new().name(NAME.to_owned());
        thread
            .spawn(move || owned.run(ended.closed()))
            .map_err(|error| not_started(&error))?;
        Ok(runtime)
    }

    /// Polls `future` on this thread until it is ready, while the runtime's thread drives the connections
    /// and clocks that it waits for. It needs not be `'static` for that, and nothing is spawned.
    ///
    /// # Errors
    ///
    /// [`Runtime`](ErrorKind::Runtime) in an async context; `future` is then dropped unpolled.
    pub(super) fn wait<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        if is_async() {
            return Err(refused());
        }
        let _entered = self.handle.enter();
        let mut future = pin!(future);
        let signal = Arc::new(Signal {
            woken: AtomicBool::new(false),
            thread: thread::current(),
        });
        let waker = Waker::from(Arc::clone(&signal));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Ok(output);
            }
            // The flag, not the unparking, says that it was this one who was woken: a hook of the user's
            // may have waited on this thread meanwhile.
            while !signal.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.ended.close();
    }
}

/// The runtime itself. It may be dropped anywhere, and waits for no one.
struct Owned(Option<tokio::runtime::Runtime>);

impl Owned {
    fn handle(&self) -> Handle {
        match &self.0 {
            Some(runtime) => runtime.handle().clone(),
            None => unreachable!("it is taken by the drop alone"),
        }
    }

    fn run(self, until: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(until);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

struct Signal {
    woken: AtomicBool,
    thread: Thread,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::Runtime)
        .with_phase(Phase::Check)
        .with_request_sent(RequestSent::No)
        .with_message(
            "this call waits, and would hold up the tokio runtime that it is called in; use \
             standpipe::Pool there, or call it within tokio::task::spawn_blocking",
        )
}

fn not_started(error: &io::Error) -> Error {
    Error::new(ErrorKind::Runtime)
        .with_phase(Phase::Check)
        .with_request_sent(RequestSent::No)
        .with_message(format!(
            "no thread could be started to send requests on: {error}"
        ))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn the_thread_ends_with_the_handle_and_its_tasks_with_it() {
        let runtime = Runtime::start().unwrap();
        let (held, dropped) = channel();
        runtime.handle.spawn(async move {
            held.send(thread::current().name().map(str::to_owned))
                .unwrap();
            std::future::pending::<()>().await;
            drop(held);
        });
        assert_eq!(dropped.recv_timeout(LONG).unwrap().as_deref(), Some(NAME));
        drop(runtime);
        let end = dropped.recv_timeout(LONG).unwrap_err();
        assert_eq!(end, RecvTimeoutError::Disconnected);
    }

    #[test]
    fn clocks_and_tasks_work_from_the_thread_that_waits() {
        let runtime = Runtime::start().unwrap();
        let text = "borrowed".to_owned();
        let told = runtime.wait(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let there = tokio::spawn(async { thread::current().name().map(str::to_owned) });
            (there.await.unwrap(), &text)
        });
        assert_eq!(told.unwrap(), (Some(NAME.to_owned()), &text));
    }

    /// The one that waits inside takes the unparking that is meant for the one outside.
    #[test]
    fn one_wait_within_another_loses_no_wakeup() {
        let runtime = Runtime::start().unwrap();
        let mut polls = 0;
        let outer = std::future::poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            let inner = tokio::time::sleep(Duration::from_millis(1));
            runtime.wait(inner).unwrap();
            Poll::Pending
        });
        runtime.wait(outer).unwrap();
        assert_eq!(polls, 2);
    }

    #[test]
    fn in_an_async_context_it_is_refused_and_dropping_it_is_in_order() {
        let runtime = Runtime::start().unwrap();
        let within = Builder::new_current_thread().build().unwrap();
        let error = within.block_on(async {
            let error = runtime.wait(async { unreachable!() }).unwrap_err();
            drop(runtime);
            error
        });
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.to_string().contains("spawn_blocking"), "{error}");
    }
}
