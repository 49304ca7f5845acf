//! A process under the Runtime API: this test's own program, told to be a `bootstrap`.

mod bootstrap;

use std::time::Duration;

use local::{
    function::{Error, Function},
    runtime_api::{Options, Outcome},
};
use serde_json::{Value, json};

use self::bootstrap::{bootstrap, is_there};

#[tokio::test]
async fn an_event_is_answered() {
    let function = bootstrap().memory(256).env("TABLE_NAME", "articles").start().await.unwrap();
    assert!(function.ready().await.unwrap() > Duration::ZERO);
    let invocation = function.invoke(&json!({ "echo": 1 })).await;
    let answer = invocation.json();
    assert_eq!(answer["event"], json!({ "echo": 1 }));
    assert_eq!(answer["headers"]["lambda-runtime-aws-request-id"], invocation.request_id);
    let arn = format!("arn:aws:lambda:eu-west-1:{}:function:enrich", local::ACCOUNT);
    assert_eq!(answer["headers"]["lambda-runtime-invoked-function-arn"], arn);
    assert!(invocation.took > Duration::ZERO && invocation.took < Duration::from_secs(10));
    assert!(function.lines().iter().any(|line| line == "a line"));
    assert!(function.lines().iter().any(|line| line == "an error line"));
}

#[tokio::test]
async fn the_environment_is_lambdas_and_nothing_else() {
    let function = bootstrap().memory(256).env("TABLE_NAME", "articles").start().await.unwrap();
    let environment = function.invoke(&json!({ "environment": true })).await.json();
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "enrich"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("TABLE_NAME", "articles"),
    ] {
        assert_eq!(environment[name], value);
    }
    for name in ["HOME", "CARGO_MANIFEST_DIR", "AWS_PROFILE"] {
        assert_eq!(environment[name], Value::Null, "{name}");
    }
}

#[tokio::test]
async fn the_trace_header_and_the_deadline_are_handed_on() {
    let function = bootstrap().start().await.unwrap();
    let options = Options { timeout: Duration::from_secs(7), trace: Some("Root=1-2-3;Sampled=1".to_owned()) };
    let headers = function.invoke_with(r#"{"echo":1}"#, options).await.json()["headers"].clone();
    assert_eq!(headers["lambda-runtime-trace-id"], "Root=1-2-3;Sampled=1");
    assert_eq!(headers["lambda-runtime-deadline-ms"].as_str().map(str::len), Some(13));
    assert_eq!(function.invoke(&json!({ "echo": 1 })).await.json()["headers"]["lambda-runtime-trace-id"], Value::Null);
}

#[tokio::test]
async fn a_failure_has_its_kind_and_message() {
    let function = bootstrap().start().await.unwrap();
    let invocation = function.invoke(&json!({ "fail": true })).await;
    let expected = Outcome::Error { kind: "Bad".to_owned(), message: "told to fail".to_owned() };
    assert_eq!(invocation.outcome, expected);
    assert!(function.invoke(&json!({ "echo": 1 })).await.json().is_object(), "and it goes on");
}

#[tokio::test]
async fn a_process_that_dies_says_how_and_nothing_hangs() {
    let function = bootstrap().start().await.unwrap();
    for _ in 0..2 {
        let Outcome::Error { kind, message } = function.invoke(&json!({ "exit": 7 })).await.outcome else { panic!() };
        assert_eq!(kind, "Runtime.ExitError");
        assert!(message.contains("exit status: 7") && message.contains("an error line"), "{message}");
    }
    assert!(matches!(function.freeze().await, Err(Error::Ended)));
    assert_eq!(function.stop().await.and_then(|status| status.code()), Some(7));
}

#[tokio::test]
async fn a_process_that_never_gets_ready_says_why() {
    let function = bootstrap().env("INIT", "error").start().await.unwrap();
    let Err(Error::NotReady(Outcome::InitError { kind, message })) = function.ready().await else { panic!() };
    assert_eq!((kind.as_str(), message.as_str()), ("Config", "TABLE_NAME is missing"));
    let invocation = function.invoke(&json!({})).await;
    assert_eq!(invocation.outcome, Outcome::InitError { kind, message });

    let missing = Function::builder("/nowhere/bootstrap").start().await.unwrap_err();
    assert_eq!(missing.to_string(), "could not start /nowhere/bootstrap");
    let ended = Function::builder("/bin/false").start().await.unwrap();
    let Err(Error::NotReady(Outcome::Error { message, .. })) = ended.ready().await else { panic!() };
    assert!(message.contains("exit status: 1"), "{message}");
}

#[tokio::test]
async fn a_frozen_process_answers_when_it_is_thawed() {
    let function = bootstrap().start().await.unwrap();
    // It has asked for an event. After an answer it might be frozen before it asks for the next.
    function.ready().await.unwrap();
    function.freeze().await.unwrap();
    let soon = Options { timeout: Duration::from_millis(300), ..Options::default() };
    assert_eq!(function.invoke_with(r#"{"echo":1}"#, soon).await.outcome, Outcome::TimedOut);
    function.thaw().await.unwrap();
    let invocation = function.invoke_with(r#"{"echo":2}"#, Options::default()).await;
    assert_eq!(invocation.json()["event"], json!({ "echo": 2 }));
}

#[tokio::test]
async fn a_slow_function_times_out_and_its_late_answer_goes_nowhere() {
    let function = bootstrap().timeout(Duration::from_millis(100)).start().await.unwrap();
    let invocation = function.invoke(&json!({ "sleep": 400 })).await;
    assert_eq!(invocation.outcome, Outcome::TimedOut);
    let next = function.invoke_with(r#"{"echo":2}"#, Options::default()).await;
    assert_eq!(next.json()["event"], json!({ "echo": 2 }));
}

#[tokio::test]
async fn killing_and_dropping_leave_no_process() {
    let function = bootstrap().start().await.unwrap();
    function.ready().await.unwrap();
    let pid = function.pid();
    function.kill().await;
    assert!(!is_there(pid));

    let function = bootstrap().start().await.unwrap();
    function.ready().await.unwrap();
    function.freeze().await.unwrap();
    let pid = function.pid();
    assert!(is_there(pid));
    drop(function);
    assert!(!is_there(pid));
}

#[tokio::test]
async fn what_a_process_leaves_behind_ends_with_it() {
    let function = Function::builder("/bin/sh").args(["-c", "sleep 1000 & echo $!; exit 1"]).start().await.unwrap();
    assert!(matches!(function.ready().await, Err(Error::NotReady(Outcome::Error { .. }))));
    let left: u32 = function.lines()[0].parse().unwrap();
    // Whoever inherits it may take a moment.
    for _ in 0..1_000 {
        if !is_there(left) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{left} is still there");
}

#[test]
fn the_debug_text_has_no_value_of_a_variable() {
    let builder = Function::builder("enrich").env("BROKER_URL", "amqps://user:secret@host");
    let text = format!("{builder:?}");
    assert!(text.contains("BROKER_URL") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn five_hundred_events_are_answered_one_after_the_other() {
    let function = bootstrap().start().await.unwrap();
    function.ready().await.unwrap();
    for number in 0..500 {
        assert_eq!(function.invoke(&json!({ "echo": number })).await.json()["event"]["echo"], number);
    }
}
