//! The endpoint, request by request, against what the Hugging Face container answers.

use std::time::{Duration, Instant};

use aws_sdk_sagemakerruntime::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::invoke_endpoint::InvokeEndpointError,
    primitives::Blob,
};
use local::aws::{Aws, sagemaker::ColdStart};
use serde_json::{Value, json};

use super::config;

type Failed = SdkError<InvokeEndpointError, aws_sdk_sagemakerruntime::config::http::HttpResponse>;

async fn invoke(aws: &Aws, kind: &str, body: impl Into<Vec<u8>>) -> Result<Value, Failed> {
    let client = Client::new(&config(aws).await);
    let request = client.invoke_endpoint().endpoint_name("finbert").content_type(kind).body(Blob::new(body.into()));
    let answer = request.send().await?;
    Ok(serde_json::from_slice(answer.body.unwrap().as_ref()).unwrap())
}

async fn ask(aws: &Aws) -> Result<Value, Failed> {
    invoke(aws, "application/json", r#"{"inputs":["a"]}"#).await
}

/// `3`: a list of three opinions; `2x3`: a list of two of them.
fn shape(answer: &Value) -> String {
    let opinions = |list: &[Value]| {
        assert!(list.iter().all(|opinion| opinion["label"].is_string() && opinion["score"].is_f64()), "{answer}");
        assert!(list.is_sorted_by(|one, next| one["score"].as_f64() >= next["score"].as_f64()), "{answer}");
        list.len()
    };
    match answer.as_array().unwrap().as_slice() {
        lists @ [Value::Array(first), ..] => format!("{}x{}", lists.len(), opinions(first)),
        list => list.len().to_string(),
    }
}

#[tokio::test]
async fn every_form_of_a_request_is_answered_as_by_the_container() {
    let aws = Aws::start().await.unwrap();
    let long = "word ".repeat(600);
    let truncated = json!({ "top_k": null, "truncation": true, "max_length": 512 });
    for (inputs, parameters, expected) in [
        (json!("s"), json!({}), "1"),
        (json!(["a", "b"]), json!({}), "2"),
        (json!(["a"]), json!({}), "1"),
        (json!("s"), json!({ "top_k": null }), "3"),
        (json!("s"), json!({ "top_k": 2 }), "2"),
        (json!(["a", "b"]), json!({ "top_k": null }), "2x3"),
        (json!(["a"]), json!({ "top_k": null }), "1x3"),
        (json!(["a", "b"]), json!({ "top_k": 1 }), "2x1"),
        (json!("s"), json!({ "return_all_scores": true }), "1"),
        (json!(["a", "b"]), json!({ "return_all_scores": true }), "2"),
        (json!(""), json!({}), "1"),
        (json!([""]), json!({ "top_k": null }), "1x3"),
        (json!([long, "b"]), truncated, "2x3"),
        (json!([long, "b"]), json!({}), "failed"),
        (json!([long]), json!({ "truncation": true }), "failed"),
        (json!([]), json!({}), "failed"),
        (json!(["a", null]), json!({}), "failed"),
        (json!(["a", 1]), json!({}), "failed"),
        (json!(null), json!({}), "failed"),
        (json!(1), json!({}), "failed"),
    ] {
        let body = json!({ "inputs": inputs, "parameters": parameters });
        check(invoke(&aws, "application/json", body.to_string()).await, expected, &body.to_string());
    }
}

#[tokio::test]
async fn rows_of_csv_are_a_list() {
    let aws = Aws::start().await.unwrap();
    for (body, expected) in [
        ("inputs\nProfit surges\nLoss widens\n", "2"),
        ("id,inputs\n1,\"Profit, surges\"\n", "1"),
        ("Profit surges\nLoss widens\n", "failed"),
        ("inputs\n", "failed"),
        ("id,inputs\n1\n", "failed"),
    ] {
        check(invoke(&aws, "text/csv", body).await, expected, body);
    }
    assert_eq!(aws.sagemaker().calls()[1].inputs, ["Profit, surges"]);
}

fn check(answer: Result<Value, Failed>, expected: &str, body: &str) {
    let body = &body[..body.len().min(80)];
    match answer.map_err(SdkError::into_service_error) {
        Ok(answer) => assert_eq!(shape(&answer), expected, "{body}"),
        Err(InvokeEndpointError::ModelError(error)) => {
            assert_eq!((expected, error.original_status_code()), ("failed", Some(400)), "{body}: {error:?}");
        }
        Err(other) => panic!("{body}: {other:?}"),
    }
}

#[tokio::test]
async fn a_body_is_as_large_as_sagemaker_takes_it_and_no_larger() {
    let aws = Aws::start().await.unwrap();
    let body = |bytes: usize| {
        let empty = r#"{"inputs":"","parameters":{"truncation":true,"max_length":512}}"#;
        empty.replacen(r#""""#, &format!(r#""{}""#, "a".repeat(bytes - empty.len())), 1)
    };
    let largest = body(6_291_456);
    assert_eq!(largest.len(), 6_291_456);
    assert!(invoke(&aws, "application/json", largest).await.is_ok());
    let refused = invoke(&aws, "application/json", body(6_291_457)).await.unwrap_err().into_service_error();
    assert!(refused.is_validation_error(), "{refused:?}");
    assert!(refused.message().unwrap().ends_with("less than or equal to 6291456"));
}

#[tokio::test]
async fn the_first_request_after_a_pause_waits_for_the_start() {
    let aws = Aws::start().await.unwrap();
    let starts = Duration::from_millis(200);
    let took = async || {
        let begin = Instant::now();
        ask(&aws).await.unwrap();
        begin.elapsed()
    };
    aws.sagemaker().cold_start(ColdStart::Waits, starts, Duration::from_hours(1));
    let (first, beside) = tokio::join!(took(), took());
    assert!(first.max(beside) >= starts, "{first:?} {beside:?}");
    aws.sagemaker().cold_start(ColdStart::Waits, Duration::from_hours(1), Duration::from_hours(1));
    assert!(tokio::time::timeout(starts, ask(&aws)).await.is_err());
    aws.sagemaker().cold_start(ColdStart::Waits, starts, Duration::ZERO);
    assert!(took().await >= starts);
    assert!(took().await >= starts, "any pause is too long");
}

#[tokio::test]
async fn a_serverless_endpoint_says_that_it_is_not_ready_until_it_is() {
    let aws = Aws::start().await.unwrap();
    aws.sagemaker().cold_start(ColdStart::NotReady, Duration::from_millis(300), Duration::from_hours(1));
    let begin = Instant::now();
    let mut refused = 0;
    while let Err(error) = ask(&aws).await {
        assert!(error.into_service_error().is_model_not_ready_exception());
        refused += 1;
    }
    assert!(refused > 0 && begin.elapsed() >= Duration::from_millis(300));
    assert!(ask(&aws).await.is_ok(), "and stays so");
}

#[tokio::test]
async fn a_headline_can_get_a_label_that_is_no_sentiment() {
    let aws = Aws::start().await.unwrap();
    aws.sagemaker().unknown_label("xyzzy");
    let body = json!({ "inputs": ["Profit surges", "xyzzy surges"], "parameters": { "top_k": null } });
    let answer = invoke(&aws, "application/json", body.to_string()).await.unwrap();
    assert_eq!((&answer[0][0]["label"], &answer[1][0]["label"]), (&json!("positive"), &json!("mixed")));
    assert_eq!(aws.sagemaker().opinion("finbert", "xyzzy").0, "mixed");
}

#[tokio::test]
async fn an_endpoint_that_is_down_closes_connections() {
    let aws = Aws::start().await.unwrap();
    let closes = async || matches!(ask(&aws).await, Err(SdkError::DispatchFailure(_)));
    aws.sagemaker().down(true);
    assert!(closes().await);
    aws.sagemaker().down(false);
    assert!(ask(&aws).await.is_ok());
    aws.sagemaker().down_for(Duration::from_hours(1));
    assert!(closes().await);
    aws.sagemaker().down_for(Duration::ZERO);
    assert!(ask(&aws).await.is_ok());
}

#[tokio::test]
async fn every_opinion_says_that_it_is_a_lexicons() {
    let aws = Aws::start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let request = client.invoke_endpoint().endpoint_name("finbert").body(Blob::new(r#"{"inputs":"a"}"#));
    request.customize().interceptor(Headers(seen.clone())).send().await.unwrap();
    assert_eq!(seen.lock().unwrap().as_deref(), Some("lexicon"));
}

/// Notes the header that says what judged.
#[derive(Debug)]
struct Headers(std::sync::Arc<std::sync::Mutex<Option<String>>>);

impl aws_sdk_sagemakerruntime::config::Intercept for Headers {
    fn name(&self) -> &'static str {
        "headers"
    }

    fn read_after_deserialization(
        &self,
        context: &aws_sdk_sagemakerruntime::config::interceptors::AfterDeserializationInterceptorContextRef<'_>,
        _: &aws_sdk_sagemakerruntime::config::RuntimeComponents,
        _: &mut aws_sdk_sagemakerruntime::config::ConfigBag,
    ) -> Result<(), aws_sdk_sagemakerruntime::error::BoxError> {
        let model = context.response().headers().get("x-newsloom-model").map(str::to_owned);
        *self.0.lock().unwrap() = model;
        Ok(())
    }
}
