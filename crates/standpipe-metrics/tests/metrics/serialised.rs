use super::*;
use http_body_util::BodyExt;

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_plain_data_with_times_in_seconds() {
    let registry = Registry::new();
    let service = counted(&registry, by_path());
    let response = ask(&service, "https://a.b/200/2").await.unwrap();
    response.into_body().collect().await.unwrap();
    ask(&service, "https://a.b/refused").await.unwrap_err();
    let pool = serde_json::to_value(registry.metrics()).unwrap();
    assert_eq!(pool["hosts"], 1);
    assert_eq!(pool["requests"]["total"], 2);
    assert_eq!(pool["requests"]["errors_by_kind"]["rate_limited"], 1);
    assert_eq!(pool["requests"]["latency_to_end"]["average"], 2.0);
    assert_eq!(pool["attempts"]["total"], 0);
    let host = serde_json::to_value(registry.host_metrics("a.b").unwrap()).unwrap();
    assert_eq!(host["name"], "https://a.b");
    assert_eq!(host["requests"], pool["requests"]);
}
