use super::*;
use http::header::RETRY_AFTER;
use tower::service_fn;

/// How long the breaker stays open after an answer of `code` with these `Retry-After`.
async fn open_for(
    layer: CircuitBreakerLayer<impl AsJudge>,
    code: u16,
    values: &'static [&'static str],
) -> Duration {
    let breaker = layer.layer(service_fn(move |()| async move {
        let mut response = answer(code)?;
        for value in values {
            response.headers_mut().append(RETRY_AFTER, value.parse()?);
        }
        Ok::<_, BoxError>(response)
    }));
    breaker.clone().oneshot(()).await.unwrap();
    let error = Error::from_boxed(breaker.oneshot(()).await.unwrap_err());
    error.retry_after().unwrap()
}

/// Any judge of a response without a body.
trait AsJudge: standpipe_circuit_breaker::Judge<Response<()>, Response = Response<()>> + Clone {}

impl<J> AsJudge for J where
    J: standpipe_circuit_breaker::Judge<Response<()>, Response = Response<()>> + Clone
{
}

fn layer() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(config().threshold(1)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_a_503_sets_the_reset_period_shorter_or_longer() {
    for (value, seconds) in [(&["7"], 7), (&["120"], 120), (&[" 9 "], 9)] {
        assert_eq!(open_for(layer(), 503, value).await, seconds * SECOND);
    }
    assert_eq!(open_for(layer(), 500, &["7"]).await, 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_absurd_retry_after_is_bounded_or_left_alone() {
    for value in [&["301"], &["99999999999999999999999"]] {
        assert_eq!(open_for(layer(), 503, value).await, 300 * SECOND);
    }
    for value in [
        &["-1"] as &[&str],
        &["+1"],
        &[""],
        &["1.5"],
        &["soon"],
        &["1", "2"],
        &["Tue, 29 Oct 2024 16:56:32 GMT"],
    ] {
        assert_eq!(
            open_for(layer(), 503, value).await,
            30 * SECOND,
            "{value:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_may_read_what_the_default_does_not() {
    let read = |response: &Response<()>| {
        let value = response.headers().get(RETRY_AFTER)?;
        (value == "tomorrow").then_some(200 * SECOND)
    };
    assert_eq!(
        open_for(layer().retry_after(read), 500, &["tomorrow"]).await,
        200 * SECOND
    );
}

#[tokio::test(start_paused = true)]
async fn jitter_is_added_to_what_the_server_asked_for() {
    let config = CircuitBreakerConfig::new().threshold(1).reset_jitter(1.0);
    let layer = CircuitBreakerLayer::new(config.jitter_seed(Some(1))).unwrap();
    let period = open_for(layer, 503, &["100"]).await;
    assert!(
        period > 100 * SECOND && period <= 200 * SECOND,
        "{period:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_zero_lets_the_next_caller_probe() {
    let breaker = layer().layer(service_fn(|()| async {
        let mut response = answer(503)?;
        response.headers_mut().insert(RETRY_AFTER, "0".parse()?);
        Ok::<_, BoxError>(response)
    }));
    for _ in 0..3 {
        breaker.clone().oneshot(()).await.unwrap();
        assert_eq!(breaker.handle().state(), State::Open);
    }
}
