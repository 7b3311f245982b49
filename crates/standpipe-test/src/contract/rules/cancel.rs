use std::future::poll_fn;
use std::pin::{Pin, pin};

use standpipe_core::BoxError;
use tower_service::Service;

use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::{Alone, Trial, poll_once, poll_times};
use crate::contract::inner::{Act, Control};

/// More polls than the inner service is awake for.
const POINTS: usize = 8;

pub(in crate::contract) async fn check<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    for point in 0..=POINTS {
        called(contract, layer, Act::Hold, point).await;
        called(contract, layer, Act::Fail, point).await;
        not_ready(contract, layer, point).await;
        behind_another(contract, layer, point).await;
    }
    before_another(contract, layer, false).await;
    before_another(contract, layer, true).await;
}

fn trial<'a, Req, Res>(
    contract: &'a LayerContract<Req, Res>,
    control: &'a Control,
) -> Trial<'a, Req, Res> {
    Trial {
        contract,
        control,
        rule: "cancel safety",
    }
}

/// Drops a call that the inner service holds, or one whose inner call has failed: where the layer tries
/// again, somewhere before that.
async fn called<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L, act: Act, point: usize)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (mut service, control) = contract.under(layer);
    let trial = trial(contract, &control);
    control.act(act);
    trial.ready("a service", &mut service).await;
    {
        let mut call = pin!(service.call(contract.request()));
        let _ = poll_times(call.as_mut(), point).await;
    }
    let failed = match act {
        Act::Fail => "failed within and ",
        _ => "",
    };
    let what = format!("a call that {failed}was dropped after {point} polls");
    gone(&trial, &what, 0).await;
    works(&trial, &what, service).await;
}

/// Drops whoever waits for the inner service to become ready.
async fn not_ready<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L, point: usize)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (service, control) = contract.under(layer);
    let trial = trial(contract, &control);
    control.probe.pending_ready();
    poll_and_drop(service.clone(), contract, point).await;
    control.probe.allow_ready();
    let what = format!(
        "a call that was dropped after {point} polls while the inner service was not ready"
    );
    gone(&trial, &what, 0).await;
    works(&trial, &what, service).await;
}

/// Drops a call that may be in a queue behind another.
async fn behind_another<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L, point: usize)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (service, control) = contract.under(layer);
    let trial = trial(contract, &control);
    let first = held(&trial, service.clone()).await;
    let in_flight = control.probe.in_flight();
    poll_and_drop(service.clone(), contract, point).await;
    let what = format!("a call that was dropped after {point} polls beside another");
    gone(&trial, &what, in_flight).await;
    drop(first);
    gone(&trial, &what, 0).await;
    works(&trial, &what, service).await;
}

/// Drops a call that another one may wait for; or two, of which one waits itself, ahead of the other.
async fn before_another<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L, two: bool)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (service, control) = contract.under(layer);
    let trial = trial(contract, &control);
    let first = held(&trial, service.clone()).await;
    let mut second = two.then(|| Alone::new(refused_or_answered(service.clone(), contract)));
    if let Some(second) = &mut second {
        let _ = poll_times(Pin::new(second), 2).await;
    }
    control.act(Act::Answer);
    let mut third = Alone::new(refused_or_answered(service.clone(), contract));
    let early = poll_times(Pin::new(&mut third), 2).await;
    drop(second);
    drop(first);
    if early.is_pending() {
        let what = "a call that waited for one that was dropped";
        trial.finish(what, third).await;
    } else {
        drop(third);
    }
    trial.assert_called_ready();
    let what = "a call that was dropped before another";
    gone(&trial, what, 0).await;
    works(&trial, what, service).await;
}

/// A call that the inner service holds.
async fn held<S, Req, Res>(trial: &Trial<'_, Req, Res>, mut service: S) -> Pin<Box<S::Future>>
where
    Req: Send + 'static,
    Res: Send + 'static,
    S: Service<Req, Error: Into<BoxError>>,
{
    trial.control.act(Act::Hold);
    trial.ready("a service", &mut service).await;
    let mut call = Box::pin(service.call(trial.contract.request()));
    let _ = poll_times(call.as_mut(), 2).await;
    call
}

/// Makes a call, where the service is ready at once, and drops it after so many polls.
async fn poll_and_drop<S, Req, Res>(
    mut service: S,
    contract: &LayerContract<Req, Res>,
    point: usize,
) where
    Req: Send + 'static,
    Res: Send + 'static,
    S: Service<Req>,
{
    let ready = poll_fn(|cx| service.poll_ready(cx));
    if poll_once(pin!(ready)).await.is_ready() {
        let mut call = pin!(service.call(contract.request()));
        let _ = poll_times(call.as_mut(), point).await;
    }
}

/// A call that the layer may refuse: that is its own business.
async fn refused_or_answered<S, Req, Res>(mut service: S, contract: &LayerContract<Req, Res>)
where
    Req: Send + 'static,
    Res: Send + 'static,
    S: Service<Req>,
{
    if let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await {
        drop(service.call(contract.request()).await);
    }
}

async fn gone<Req, Res>(trial: &Trial<'_, Req, Res>, what: &str, left: usize)
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    trial.assert_called_ready();
    let in_flight = || trial.control.probe.in_flight();
    let how_not = format!("{what} is still in flight in the inner service");
    trial.settles(how_not, || in_flight() <= left).await;
}

/// That the service and its clones go on working.
async fn works<S, Req, Res>(trial: &Trial<'_, Req, Res>, what: &str, mut service: S)
where
    Req: Send + 'static,
    Res: Send + 'static,
    S: Service<Req, Error: Into<BoxError>> + Clone,
{
    trial.control.act(Act::Answer);
    let next = format!("the call after {what}");
    trial.answered(&next, &mut service).await;
    let of_a_clone = format!("the call of a clone after {what}");
    trial.answered(of_a_clone, &mut service.clone()).await;
}
