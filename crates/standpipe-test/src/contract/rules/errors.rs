use std::future::poll_fn;

use standpipe_core::BoxError;
use tower_service::Service;

use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::Trial;
use crate::contract::inner::{Act, InnerFailure};

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
        rule: "errors",
    };
    control.act(Act::Fail);
    let what = "a call whose inner call fails";
    trial.ready(what, &mut service).await;
    let answer = trial.finish(what, service.call(contract.request())).await;
    trial.assert_called_ready();
    assert_passed_on(&trial, what, answer.map(drop));
    control.act(Act::Answer);
    trial
        .answered("the call after one that failed", &mut service)
        .await;

    // A service whose readiness fails has come to its end, so another one.
    let (mut service, control) = contract.under(layer);
    let trial = Trial {
        control: &control,
        ..trial
    };
    control.fail_ready();
    let what = "a service whose inner service fails to become ready";
    let ready = trial
        .finish(what, poll_fn(|cx| service.poll_ready(cx)))
        .await;
    let outcome = match ready {
        Ok(()) => {
            let call = service.call(contract.request());
            trial.finish(what, call).await.map(drop)
        }
        Err(error) => Err(error),
    };
    trial.assert_called_ready();
    assert_passed_on(&trial, what, outcome);
}

fn assert_passed_on<Req, Res, E>(trial: &Trial<'_, Req, Res>, what: &str, outcome: Result<(), E>)
where
    Req: Send + 'static,
    Res: Send + 'static,
    E: Into<BoxError>,
{
    match outcome.map_err(Into::into) {
        Ok(()) => trial.broken(format_args!("{what} was answered")),
        Err(error) if !InnerFailure::is_in(&error) => trial.broken(format_args!(
            "{what} has another error, and not the inner one among its sources: {error:?}"
        )),
        Err(_) => {}
    }
}
