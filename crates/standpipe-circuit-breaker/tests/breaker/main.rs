//! What the breaker promises, through its layer. Each file is a theme.

mod body;
mod closed;
mod contract;
#[cfg(feature = "serde")]
mod data;
mod dropped;
mod half_open;
mod hooks;
mod late;
mod manual;
mod open;
mod panics;
mod refused_config;
mod retry_after;
mod server;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::{Response, StatusCode};
use standpipe_circuit_breaker::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerLayer, Handle, State,
};
use standpipe_core::{BoxError, Error, ErrorKind};
use standpipe_test::{Gate, Probe, ProbeHandle};
use tower::{Layer, ServiceExt};

const SECOND: Duration = Duration::from_secs(1);

type Answer = Result<Response<()>, BoxError>;

/// What a request has the inner service do.
#[derive(Clone)]
enum Do {
    Answer(u16),
    Fail(ErrorKind),
    /// Answers once the gate is open.
    Wait(Gate, u16),
    Hang,
    Panic,
    PanicInCall,
}

fn act(request: Do) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    if let Do::PanicInCall = request {
        panic!("the call itself panics");
    }
    Box::pin(async move {
        match request {
            Do::Answer(code) => answer(code),
            Do::Fail(kind) => Err(Error::new(kind).into()),
            Do::Wait(gate, code) => {
                gate.wait().await;
                answer(code)
            }
            Do::Hang => std::future::pending().await,
            Do::Panic | Do::PanicInCall => panic!("the call panics"),
        }
    })
}

fn answer(code: u16) -> Answer {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    Ok(response)
}

type Inner = Probe<fn(Do) -> Pin<Box<dyn Future<Output = Answer> + Send>>>;

fn inner() -> Inner {
    Probe::new(act)
}

/// A breaker over a [`Probe`], and what there is to see of both.
struct Rig {
    breaker: CircuitBreaker<Inner>,
    circuit: Handle,
    inner: ProbeHandle,
}

fn config() -> CircuitBreakerConfig {
    CircuitBreakerConfig::new().reset_jitter(0.0)
}

fn rig(config: CircuitBreakerConfig) -> Rig {
    let inner = inner();
    let handle = inner.handle();
    let breaker = CircuitBreakerLayer::new(config).unwrap().layer(inner);
    Rig {
        circuit: breaker.handle(),
        inner: handle,
        breaker,
    }
}

/// A function of its own, so that the compiler, which cannot tell that the future of a service whose
/// type names `BoxError` is `Send` inside of an async block, need not.
fn send(
    breaker: &CircuitBreaker<Inner>,
    request: Do,
) -> impl Future<Output = Answer> + Send + use<> {
    breaker.clone().oneshot(request)
}

impl Rig {
    fn send(&self, request: Do) -> impl Future<Output = Answer> + Send + 'static {
        send(&self.breaker, request)
    }

    fn spawn(&self, request: Do) -> tokio::task::JoinHandle<Answer> {
        tokio::spawn(self.send(request))
    }

    /// A call whose answer the test gives, once the inner service has it.
    async fn begin(&self, code: u16) -> (Gate, tokio::task::JoinHandle<Answer>) {
        let gate = Gate::new();
        let call = self.spawn(Do::Wait(gate.clone(), code));
        gate.arrived(1).await;
        (gate, call)
    }

    async fn refused(&self) -> Error {
        let error = Error::from_boxed(self.send(Do::Answer(200)).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::CircuitOpen);
        error
    }

    /// Opens the breaker by failures.
    async fn trip(&self) {
        while self.circuit.state() == State::Closed {
            let _ = self.send(Do::Answer(500)).await;
        }
        assert_eq!(self.circuit.state(), State::Open);
    }

    /// Opens it, and waits for the reset period.
    async fn trip_and_wait(&self) {
        self.trip().await;
        let error = self.refused().await;
        tokio::time::advance(error.retry_after().unwrap()).await;
    }
}
