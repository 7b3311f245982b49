use tower_service::Service;

use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::Trial;

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
        rule: "readiness",
    };
    for nth in ["the first call", "the second call", "the third call"] {
        trial.answered(nth, &mut service).await;
    }
    trial.ready("a ready service", &mut service).await;
    trial
        .ready("a ready service, asked again", &mut service)
        .await;
    let call = service.call(contract.request());
    trial
        .must_answer("a call after two polls for readiness", call)
        .await;
}
