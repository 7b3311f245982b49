use serde_json::json;

use super::{get, post, send, status};
use crate::mock::{MockResponse, MockService};

#[tokio::test]
async fn json_is_matched_in_whatever_order_and_spacing_or_by_a_condition() {
    let mock = MockService::new();
    mock.expect("a")
        .json(json!({ "name": "pump", "n": 1 }))
        .answer(MockResponse::new(201));
    mock.expect("a")
        .json_where("more than 10", |json| json["n"].as_u64() > Some(10))
        .answer(MockResponse::new(202));
    let same = post("http://a/", r#"{ "n": 1, "name": "pump" }"#);
    assert_eq!(status(send(&mock, same).await), 201);
    let more = post("http://a/", r#"{"n":11}"#);
    assert_eq!(status(send(&mock, more).await), 202);

    let few = send(&mock, post("http://a/", r#"{"n":2}"#)).await;
    let text = few.unwrap_err().to_string();
    assert!(text.contains(r#"but the body is "{\"n\":2}""#), "{text}");
    let none = send(&mock, post("http://a/", "n=2")).await;
    let text = none.unwrap_err().to_string();
    assert!(text.contains("the body is no JSON (expected"), "{text}");
    assert_eq!(mock.requests()[2].json().unwrap(), json!({ "n": 2 }));
    assert!(mock.requests()[3].json().is_err());
}

#[tokio::test]
async fn an_answer_may_be_json() {
    let mock = MockService::new();
    mock.add_response("a", MockResponse::json(200, json!({ "ok": true })));
    let answer = send(&mock, get("http://a/")).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.body().as_bytes().unwrap(), r#"{"ok":true}"#);
}
