use std::future::poll_fn;
use std::task::Poll;

use tower_service::Service;

use crate::contract::LayerContract;
use crate::contract::candidate::Candidate;
use crate::contract::drive::{Trial, poll_once};

pub(in crate::contract) async fn check<L, Req, Res>(contract: &LayerContract<Req, Res>, layer: &L)
where
    Req: Send + 'static,
    Res: Send + 'static,
    L: Candidate<Req, Res>,
{
    let (mut original, control) = contract.under(layer);
    let trial = Trial {
        contract,
        control: &control,
        rule: "clones",
    };
    trial.ready("a service", &mut original).await;
    let mut clone = original.clone();
    let ready = poll_once(std::pin::pin!(poll_fn(|cx| clone.poll_ready(cx)))).await;
    // One that reserves for its call may not be ready beside its original.
    if let Poll::Ready(Ok(())) = ready {
        let call = clone.call(contract.request());
        trial
            .must_answer("a call of a clone of a ready service", call)
            .await;
    }
    drop(clone);
    let call = original.call(contract.request());
    trial
        .must_answer(
            "a call of a service whose clone was called since it was ready",
            call,
        )
        .await;

    let mut clone = original.clone();
    drop(original);
    trial
        .answered("a call of a clone whose original is gone", &mut clone)
        .await;

    trial.ready("a clone", &mut clone).await;
    let call = clone.call(contract.request());
    drop(clone);
    trial
        .must_answer("a call whose service is gone", call)
        .await;
}
