use tower_service::Service;

use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::Trial;

/// More than a limit that is worth to be tried has places.
const MANY: usize = 16;

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
        rule: "unused readiness",
    };
    for n in 0..MANY {
        let mut unused = service.clone();
        let what = format!("a service, after {n} of its clones were ready and dropped,");
        trial.ready(what, &mut unused).await;
        let of_a_ready_one = unused.clone();
        drop(unused);
        drop(of_a_ready_one);
    }
    let what = "a call after clones that were ready and dropped";
    trial.answered(what, &mut service).await;
}

pub(in crate::contract) async fn check_reserves_nothing<L, Req, Res>(
    contract: &LayerContract<Req, Res>,
    layer: &L,
) where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (mut service, control) = contract.under(layer);
    let trial = Trial {
        contract,
        control: &control,
        rule: "reserving nothing",
    };
    let mut held = Vec::with_capacity(MANY);
    for n in 0..MANY {
        let mut idle = service.clone();
        let what = format!("a service beside {n} clones that are ready and not called");
        trial.ready(what, &mut idle).await;
        held.push(idle);
    }
    let what = "a call beside clones that are ready and not called";
    trial.answered(what, &mut service).await;
    for mut idle in held {
        let call = idle.call(contract.request());
        trial
            .must_answer("a call of a service that was ready long ago", call)
            .await;
    }
}
