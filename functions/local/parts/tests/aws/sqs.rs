//! Queues, with SQS's own client, which compares the digests of what it sends and receives.

use std::{collections::HashMap, time::Duration, time::Instant};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
        MessageSystemAttributeName, QueueAttributeName,
    },
};
use local::aws::Aws;

use super::config;

async fn queue(aws: &Aws) -> (Client, String) {
    let client = Client::new(&config(aws).await);
    let created = client.create_queue().queue_name("news").send().await.unwrap();
    (client, created.queue_url.unwrap())
}

async fn send(client: &Client, url: &str, body: &str) {
    client.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

async fn receive(client: &Client, url: &str, visibility: i32, wait: i32) -> Vec<Message> {
    let receive = client.receive_message().queue_url(url).max_number_of_messages(10);
    receive.visibility_timeout(visibility).wait_time_seconds(wait).send().await.unwrap().messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

/// Waiting, not visible.
async fn counts(client: &Client, url: &str) -> (String, String) {
    let described = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let mut attributes = described.send().await.unwrap().attributes.unwrap();
    let mut count = |name| attributes.remove(&name).unwrap();
    (
        count(QueueAttributeName::ApproximateNumberOfMessages),
        count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
    )
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or_default()
}

#[tokio::test]
async fn a_queue_is_found_by_name_and_its_url_and_arn_agree() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    assert_eq!(url, aws.queue_url("news"));
    assert_eq!(client.get_queue_url().queue_name("news").send().await.unwrap().queue_url.as_deref(), Some(&*url));
    let described = client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let attributes = described.send().await.unwrap().attributes.unwrap();
    let arn = "arn:aws:sqs:eu-west-1:123456789012:news".to_owned();
    assert_eq!(attributes, HashMap::from([(QueueAttributeName::QueueArn, arn.clone())]));
    assert_eq!(aws.sqs().arn("news"), arn);
    send(&client, &url, "hello").await;
    for queue in [url.as_str(), &arn, "news"] {
        assert_eq!(aws.sqs().messages(queue).len(), 1, "{queue}");
    }
}

#[tokio::test]
async fn creating_a_queue_twice_is_no_error_unless_it_differs() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    let create = |seconds: &str| {
        let create = client.create_queue().queue_name("news");
        create.attributes(QueueAttributeName::VisibilityTimeout, seconds).send()
    };
    assert_eq!(create("30").await.unwrap().queue_url, Some(url));
    assert!(create("31").await.unwrap_err().into_service_error().is_queue_name_exists());
    for (name, attribute, value, expected) in [
        ("a b", QueueAttributeName::DelaySeconds, "0", "InvalidParameterValue"),
        ("other", QueueAttributeName::DelaySeconds, "901", "InvalidAttributeValue"),
        ("other", QueueAttributeName::ContentBasedDeduplication, "true", "InvalidAttributeName"),
        ("other.fifo", QueueAttributeName::FifoQueue, "true", "AWS.SimpleQueueService.UnsupportedOperation"),
    ] {
        let refused = client.create_queue().queue_name(name).attributes(attribute, value).send().await.unwrap_err();
        assert_eq!(code(&refused), expected, "{refused:?}");
    }
}

#[tokio::test]
async fn a_queue_that_is_not_there_does_not_exist() {
    let aws = Aws::start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    let url = aws.queue_url("news");
    let absent = "AWS.SimpleQueueService.NonExistentQueue";
    assert_eq!(code(&client.get_queue_url().queue_name("news").send().await.unwrap_err()), absent);
    assert!(
        client
            .receive_message()
            .queue_url(&url)
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    assert_eq!(code(&client.purge_queue().queue_url(&url).send().await.unwrap_err()), absent);
    assert_eq!(code(&client.get_queue_attributes().queue_url(&url).send().await.unwrap_err()), absent);
    assert_eq!(code(&client.delete_message().queue_url(&url).receipt_handle("x").send().await.unwrap_err()), absent);

    aws.sqs().only_created(true);
    assert_eq!(code(&client.send_message().queue_url(&url).message_body("a").send().await.unwrap_err()), absent);
    aws.sqs().only_created(false);
    send(&client, &url, "a").await;
    assert_eq!(bodies(&receive(&client, &url, 30, 0).await), ["a"]);
}

#[tokio::test]
async fn a_message_that_is_received_is_nobody_elses_until_it_is_deleted_or_comes_back() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    for body in ["a", "b", "c"] {
        send(&client, &url, body).await;
    }
    let first = client.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap();
    assert_eq!(bodies(&first), ["a"], "one, unless more are asked for");
    assert_eq!(counts(&client, &url).await, ("2".to_owned(), "1".to_owned()));
    // For no time at all: it comes back at once, and is another's then.
    let again = receive(&client, &url, 0, 0).await;
    assert_eq!(bodies(&again), ["b", "c"]);
    let last = receive(&client, &url, 600, 0).await;
    assert_eq!(bodies(&last), ["b", "c"]);

    let delete = |message: &Message| {
        client.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send()
    };
    delete(&again[0]).await.unwrap();
    assert_eq!(aws.sqs().messages("news").len(), 3, "with the handle of an earlier receipt, nothing is deleted");
    delete(&last[0]).await.unwrap();
    delete(&last[0]).await.unwrap();
    let rest: Vec<_> = aws.sqs().messages("news").into_iter().map(|message| message.body).collect();
    assert_eq!(rest, ["a", "c"]);
    let invalid = client.delete_message().queue_url(&url).receipt_handle("x").send().await.unwrap_err();
    assert!(invalid.into_service_error().is_receipt_handle_is_invalid());
}

#[tokio::test]
async fn who_holds_a_message_says_when_others_see_it_again() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    send(&client, &url, "a").await;
    let handle = receive(&client, &url, 600, 0).await.remove(0).receipt_handle.unwrap();
    let change = || client.change_message_visibility().queue_url(&url).receipt_handle(&handle).visibility_timeout(0);
    change().send().await.unwrap();
    let again = change().send().await.unwrap_err();
    assert!(again.into_service_error().is_message_not_inflight(), "it is everybody's already");
    let handle = receive(&client, &url, 600, 0).await.remove(0).receipt_handle.unwrap();
    let entry = |id: &str, handle: &str| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.visibility_timeout(0).build().unwrap()
    };
    let batch = client.change_message_visibility_batch().queue_url(&url);
    let changed = batch.entries(entry("one", &handle)).entries(entry("two", "x")).send().await.unwrap();
    assert_eq!((changed.successful[0].id.as_str(), changed.failed[0].id.as_str()), ("one", "two"));
    assert_eq!(bodies(&receive(&client, &url, 30, 0).await), ["a"]);
}

#[tokio::test]
async fn entries_of_a_batch_are_deleted_one_by_one() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    send(&client, &url, "a").await;
    let handle = receive(&client, &url, 30, 0).await.remove(0).receipt_handle.unwrap();
    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let batch = client.delete_message_batch().queue_url(&url).entries(entry("one", &handle)).entries(entry("two", "x"));
    let deleted = batch.send().await.unwrap();
    assert_eq!(deleted.successful[0].id, "one");
    let failed = &deleted.failed[0];
    assert_eq!(
        (failed.id.as_str(), failed.code.as_str(), failed.sender_fault),
        ("two", "ReceiptHandleIsInvalid", true)
    );
    assert!(aws.sqs().messages("news").is_empty());
    let twice = client.delete_message_batch().queue_url(&url).entries(entry("a", &handle)).entries(entry("a", &handle));
    assert_eq!(code(&twice.send().await.unwrap_err()), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct");
}

#[tokio::test]
async fn attributes_are_received_when_they_are_asked_for() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    let text = |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap();
    let message = client.send_message().queue_url(&url).message_body("a");
    message.message_attributes("why.1", text("poison")).message_attributes("when", text("now")).send().await.unwrap();
    let names = async |asked: Option<&str>| {
        let receive = client.receive_message().queue_url(&url).visibility_timeout(0);
        let receive = receive.set_message_attribute_names(asked.map(|asked| vec![asked.to_owned()]));
        let received = receive.send().await.unwrap().messages.unwrap().remove(0);
        let mut names: Vec<_> = received.message_attributes.unwrap_or_default().into_keys().collect();
        names.sort();
        (names, received.md5_of_message_attributes.is_some())
    };
    assert_eq!(names(None).await, (vec![], false));
    assert_eq!(names(Some("All")).await, (vec!["when".to_owned(), "why.1".to_owned()], true));
    assert_eq!(names(Some("when")).await, (vec!["when".to_owned()], true));
    assert_eq!(names(Some("why.*")).await, (vec!["why.1".to_owned()], true));

    let receive =
        client.receive_message().queue_url(&url).message_system_attribute_names(MessageSystemAttributeName::All);
    let attributes = receive.send().await.unwrap().messages.unwrap().remove(0).attributes.unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "5");
}

#[tokio::test]
async fn whoever_waits_is_woken_by_a_message() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    let begin = Instant::now();
    let waiting = receive(&client, &url, 30, 20);
    let sending = async {
        // Not before the other one waits.
        while aws.sqs().waiting() == 0 {
            tokio::task::yield_now().await;
        }
        send(&client, &url, "a").await;
    };
    let (received, ()) = tokio::join!(waiting, sending);
    assert_eq!(bodies(&received), ["a"]);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn whoever_waits_in_vain_is_told_so_and_a_message_comes_back_after_its_time() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    let begin = Instant::now();
    assert!(receive(&client, &url, 30, 1).await.is_empty());
    assert!(begin.elapsed() >= Duration::from_secs(1));
    send(&client, &url, "a").await;
    let begin = Instant::now();
    assert_eq!(receive(&client, &url, 1, 0).await.len(), 1);
    assert_eq!(bodies(&receive(&client, &url, 30, 20).await), ["a"]);
    assert!((1..15).contains(&begin.elapsed().as_secs()));
}

#[tokio::test]
async fn what_is_asked_for_has_limits() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    let receive = || client.receive_message().queue_url(&url);
    for receive in [
        receive().max_number_of_messages(11),
        receive().max_number_of_messages(0),
        receive().wait_time_seconds(21),
        receive().visibility_timeout(43_201),
    ] {
        assert_eq!(code(&receive.send().await.unwrap_err()), "InvalidParameterValue");
    }
}

#[tokio::test]
async fn a_purge_leaves_nothing_and_a_delay_holds_back() {
    let aws = Aws::start().await.unwrap();
    let (client, url) = queue(&aws).await;
    send(&client, &url, "a").await;
    client.send_message().queue_url(&url).message_body("b").delay_seconds(900).send().await.unwrap();
    assert_eq!(bodies(&receive(&client, &url, 0, 0).await), ["a"]);
    client.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(counts(&client, &url).await, ("0".to_owned(), "0".to_owned()));
    assert!(aws.sqs().messages("news").is_empty());
}

#[tokio::test]
async fn what_is_sent_has_limits() {
    let aws = Aws::start().await.unwrap();
    let client = Client::new(&config(&aws).await);
    let create = |attribute, value: &str| client.create_queue().queue_name("small").attributes(attribute, value);
    for (attribute, value) in [
        (QueueAttributeName::MaximumMessageSize, "1023"),
        (QueueAttributeName::MaximumMessageSize, "1048577"),
        (QueueAttributeName::MessageRetentionPeriod, "59"),
        (QueueAttributeName::DelaySeconds, "901"),
        (QueueAttributeName::DelaySeconds, "-1"),
    ] {
        let refused = create(attribute.clone(), value).send().await.unwrap_err();
        assert_eq!(code(&refused), "InvalidAttributeValue", "{attribute} {value}");
    }
    let created = create(QueueAttributeName::MaximumMessageSize, "1024").send().await.unwrap();
    let url = created.queue_url.unwrap();
    let send = |body: &str, delay| client.send_message().queue_url(&url).message_body(body).delay_seconds(delay);
    send(&"a".repeat(1_024), 0).send().await.unwrap();
    for (body, delay) in [("a".repeat(1_025), 0), ("a".to_owned(), 901), ("a".to_owned(), i32::MAX)] {
        let refused = send(&body, delay).send().await.unwrap_err();
        assert_eq!(code(&refused), "InvalidParameterValue", "{} bytes, {delay} s", body.len());
    }
    let entry = |id: &str, body: String| {
        aws_sdk_sqs::types::SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
    };
    let batch = client.send_message_batch().queue_url(&url);
    let batch = batch.entries(entry("small", "a".to_owned())).entries(entry("large", "a".repeat(1_025)));
    let outcome = batch.send().await.unwrap();
    assert_eq!((outcome.successful()[0].id(), outcome.failed()[0].id()), ("small", "large"));
    let received = receive(&client, &url, 30, 0).await;
    let handle = received[0].receipt_handle().unwrap();
    let change = client.change_message_visibility().queue_url(&url).receipt_handle(handle);
    assert_eq!(code(&change.visibility_timeout(43_201).send().await.unwrap_err()), "InvalidParameterValue");
}
