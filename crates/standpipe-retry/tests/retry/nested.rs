use super::*;
use standpipe_core::RetryInfo;
use standpipe_retry::BudgetPolicy;
use tower::ServiceBuilder;

/// RTY-25
#[tokio::test(start_paused = true)]
async fn retries_within_retries_do_not_multiply() {
    for failed in [status_of(503), failing(Error::new(ErrorKind::Connect))] {
        let script = Script::new([failed]);
        let service = ServiceBuilder::new()
            .layer(RetryLayer::new(plain()))
            .layer(RetryLayer::new(plain()))
            .service(script.service());
        let result = service.oneshot(get()).await;
        assert_eq!(script.calls(), 4);
        let info = match &result {
            Ok(response) => response.extensions().get().copied(),
            Err(error) => Error::find(error.as_ref()).unwrap().retry_info(),
        };
        assert_eq!(info, Some(RetryInfo::new(4, secs(7)).given_up()));
    }
}

/// RTY-25: also where the inner one had no second attempt to make.
#[tokio::test(start_paused = true)]
async fn an_inner_retry_without_budget_is_final() {
    let poor = plain().budget(BudgetPolicy::default().ratio(0.0).per_second(0));
    let script = Script::statuses(&[503, 200]);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(plain()))
        .layer(RetryLayer::new(poor))
        .service(script.service());
    assert_eq!(status(&service.oneshot(get()).await), 503);
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_inner_retry_does_not_try_the_outer_one_may() {
    let script = Script::statuses(&[503, 500, 200]);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(plain().statuses([500])))
        .layer(RetryLayer::new(plain()))
        .service(script.service());
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!((response.status().as_u16(), script.calls()), (200, 3));
    // And one that is switched off is not there.
    let script = Script::statuses(&[503, 200]);
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(plain()))
        .layer(RetryLayer::new(RetryPolicy::none()))
        .service(script.service());
    assert_eq!(status(&service.oneshot(get()).await), 200);
}
