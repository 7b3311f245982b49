use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::{Trial, caught};
use crate::contract::inner::Act;

pub(in crate::contract) async fn check<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    for (act, what) in [
        (Act::PanicInCall, "a call whose inner call panics"),
        (Act::PanicInFuture, "a call whose inner future panics"),
    ] {
        let (mut service, control) = contract.under(layer);
        let trial = Trial {
            contract,
            control: &control,
            rule: "panics",
        };
        control.act(act);
        trial.ready(what, &mut service).await;
        let outcome = caught(&mut service, contract.request());
        if let Some(Ok(_)) = trial.finish(what, outcome).await {
            trial.broken(format_args!("{what} was answered"));
        }
        trial.assert_called_ready();
        let how_not = format!("{what} is still in flight in the inner service");
        trial
            .settles(how_not, || control.probe.in_flight() == 0)
            .await;

        control.act(Act::Answer);
        let next = format!("the call after {what}");
        trial.answered(next, &mut service).await;
        let of_a_clone = format!("the call of a clone after {what}");
        trial.answered(of_a_clone, &mut service.clone()).await;
    }
}
