//! Secrets, with Secrets Manager's own client.

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use local::aws::Aws;
use serde_json::json;

use super::config;

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or_default()
}

#[tokio::test]
async fn a_secret_that_is_created_is_found_by_name_and_arn() {
    let aws = Aws::builder().region("us-east-1").account("111122223333").start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    let create = client.create_secret().name("newsloom/broker").description("login").secret_string("{}");
    let arn = create.send().await.unwrap().arn.unwrap();
    let added = arn.strip_prefix("arn:aws:secretsmanager:us-east-1:111122223333:secret:newsloom/broker-").unwrap();
    assert!(added.len() == 6 && added.chars().all(|letter| letter.is_ascii_alphanumeric()), "{arn}");
    for id in ["newsloom/broker", &arn, &arn[..arn.len() - 7]] {
        let value = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!((value.arn(), value.secret_string()), (Some(&*arn), Some("{}")));
        let described = client.describe_secret().secret_id(id).send().await.unwrap();
        assert_eq!((described.name(), described.description()), (Some("newsloom/broker"), Some("login")));
    }
    let again = client.create_secret().name("newsloom/broker").secret_string("{}").send().await.unwrap_err();
    assert!(again.into_service_error().is_resource_exists_exception());
    assert_eq!(code(&client.create_secret().name("a b").send().await.unwrap_err()), "ValidationException");
}

#[tokio::test]
async fn the_debug_text_has_no_secret() {
    let aws = Aws::start().await.unwrap();
    aws.secrets().put("broker", &json!({ "password": "hunter2" }));
    let text = format!("{:?}", aws.secrets());
    assert!(text.contains("broker") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_new_value_is_the_current_one_and_the_one_before_stays() {
    let aws = Aws::start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    client.create_secret().name("broker").send().await.unwrap();
    let empty = client.get_secret_value().secret_id("broker").send().await.unwrap_err();
    assert!(empty.into_service_error().is_resource_not_found_exception(), "no value yet");
    let put = |value: &str, token: &str| {
        client.put_secret_value().secret_id("broker").secret_string(value).client_request_token(token).send()
    };
    let (first, second) = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002");
    put("one", first).await.unwrap();
    put("two", second).await.unwrap();
    assert_eq!(put("two", second).await.unwrap().version_id(), Some(second), "the same request, once more");
    assert!(put("three", second).await.unwrap_err().into_service_error().is_resource_exists_exception());

    let get = || client.get_secret_value().secret_id("broker");
    assert_eq!(get().send().await.unwrap().secret_string(), Some("two"));
    assert_eq!(get().version_stage("AWSPREVIOUS").send().await.unwrap().secret_string(), Some("one"));
    assert_eq!(get().version_id(first).send().await.unwrap().secret_string(), Some("one"));
    assert!(get().version_stage("AWSPENDING").send().await.is_err());
    aws.secrets().put("broker", &json!({ "username": "newsloom" }));
    assert_eq!(get().send().await.unwrap().secret_string(), Some(r#"{"username":"newsloom"}"#));
}

#[tokio::test]
async fn a_secret_is_deleted_at_once_or_after_a_while() {
    let aws = Aws::start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    let (now, later) = (aws.secrets().put("now", &json!(1)), aws.secrets().put("later", &json!(2)));
    client.delete_secret().secret_id(&now).force_delete_without_recovery(true).send().await.unwrap();
    let gone = client.describe_secret().secret_id(&now).send().await.unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());

    client.delete_secret().secret_id(&later).send().await.unwrap();
    let marked = client.get_secret_value().secret_id(&later).send().await.unwrap_err();
    assert!(marked.into_service_error().is_invalid_request_exception());
    assert!(client.describe_secret().secret_id(&later).send().await.unwrap().deleted_date().is_some());
    let window = client.delete_secret().secret_id("other").recovery_window_in_days(6).send().await.unwrap_err();
    assert_eq!(code(&window), "InvalidParameterException");
}

#[tokio::test]
async fn a_password_is_made_of_what_was_asked_for() {
    let aws = Aws::start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    let usual = client.get_random_password().send().await.unwrap().random_password.unwrap();
    assert_eq!(usual.chars().count(), 32);
    let has = |is: fn(char) -> bool| usual.contains(is);
    assert!(has(|letter| letter.is_ascii_lowercase()) && has(|letter| letter.is_ascii_uppercase()));
    assert!(has(|letter| letter.is_ascii_digit()) && has(|letter| letter.is_ascii_punctuation()));
    let plain = client.get_random_password().password_length(40).exclude_punctuation(true).exclude_characters("aB3");
    let plain = plain.send().await.unwrap().random_password.unwrap();
    assert!(plain.len() == 40 && plain.chars().all(|letter| letter.is_ascii_alphanumeric()), "{plain}");
    assert!(!plain.contains(['a', 'B', '3']));
    for impossible in [client.get_random_password().password_length(0), client.get_random_password().password_length(3)]
    {
        assert_eq!(code(&impossible.send().await.unwrap_err()), "InvalidParameterException");
    }
}
