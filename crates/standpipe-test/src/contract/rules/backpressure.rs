use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tower_service::Service;

use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::{Alone, Trial, poll_once, poll_times};

pub(in crate::contract) async fn check<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (mut service, control) = contract.under(layer);
    let trial = Trial {
        contract,
        control: &control,
        rule: "backpressure",
    };
    control.probe.pending_ready();
    let mut ready = Alone::new(poll_fn(|cx| service.poll_ready(cx)));
    match poll_once(Pin::new(&mut ready)).await {
        Poll::Pending => {
            control.probe.allow_ready();
            let what = "waiting for readiness, once the inner service is ready,";
            if let Err(error) = trial.finish(what, ready).await {
                let error = error.into();
                trial.broken(format_args!("{what} failed: {error}"));
            }
            let call = service.call(contract.request());
            trial.must_answer("a call after that wait", call).await;
        }
        // It waits in its future, or fails.
        Poll::Ready(Ok(())) => {
            drop(ready);
            let mut call = Alone::new(service.call(contract.request()));
            let early = poll_times(Pin::new(&mut call), 4).await;
            trial.assert_called_ready();
            control.probe.allow_ready();
            if early.is_pending() {
                let what = "a call that waits for the inner service, once that is ready,";
                trial.must_answer(what, call).await;
            }
        }
        Poll::Ready(Err(_)) => {}
    }
}
