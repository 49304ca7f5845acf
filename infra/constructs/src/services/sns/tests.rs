use super::*;
use crate::{
    services::{
        iam::{Role, Service},
        kms::Key,
        sqs::{Fifo, Queue, QueueRef},
    },
    testing::{check, check_stack, problems},
};

#[test]
fn renderings() {
    check("sns_standard", Topic::standard());
    check_stack("sns_for_alarms", |stack| {
        let key = stack.add("Key", Key::new("Encrypts alarms").for_service("cloudwatch.amazonaws.com"));
        let alarms = Topic::standard()
            .display_name("Newsloom alarms")
            .encrypted_by(key)
            .traced()
            .allow_service("cloudwatch.amazonaws.com");
        let alarms = stack.add("Alarms", alarms);
        stack.add("Mail", Subscription::email(alarms, "news@example.com"));
        let duty = stack.add("Duty", Role::of(Service::LAMBDA));
        stack.grant(duty, alarms.publish());
    });
    check_stack("sns_to_queues", |stack| {
        let news = stack.add("News", Topic::standard());
        let failed = stack.add("Failed", Queue::standard());
        let english = stack.add("English", Queue::standard());
        let filter = serde_json::json!({"language": ["en"]});
        stack.add("ToEnglish", Subscription::queue(news, english).raw().filter(filter).dead_letters_to(failed));
        let filter = serde_json::json!({"score": [{"numeric": [">", 0.5]}]});
        stack.add("ToDesk", Subscription::https(news, "https://desk.example.com/news").filter_by_body(filter));
    });
    check_stack("sns_fifo", |stack| {
        let news = stack.add("News", Topic::fifo(Fifo::by_content().per_group()));
        let work = stack.add("Work", Queue::fifo(Fifo::by_content()));
        stack.add("ToWork", Subscription::queue(news, work));
    });
    check_stack("sns_existing", |stack| {
        let alarms = Topic::existing("arn:aws:sns:eu-west-1:111122223333:alarms");
        let alarms = stack.add("Alarms", alarms);
        stack.add("Text", Subscription::sms(alarms, "+4930123456"));
        stack.output("Name", alarms.name());
        let duty = stack.add("Duty", Role::of(Service::LAMBDA));
        stack.grant(duty, alarms.publish());
    });
}

#[test]
fn what_sns_refuses_of_a_topic_is_a_problem() {
    let cases: [(Topic, &str); 4] = [
        (Topic::standard().display_name("x".repeat(101)), "the display name has 101 characters; SNS takes 100 at most"),
        (Topic::fifo(Fifo::by_id()).traced(), "a topic that keeps order can't be traced"),
        (Topic::standard().named("a.b"), "the topic name `a.b` must be letters, digits, `-` and `_`"),
        (Topic::standard().named("x".repeat(257)), "has 257 characters; SNS takes 1 to 256"),
    ];
    for (topic, message) in cases {
        let found = problems(|stack| {
            stack.add("News", topic);
        });
        assert!(found.contains("News: ") && found.contains(message), "{message}\n{found}");
    }
}

#[test]
fn what_sns_refuses_of_a_subscription_is_a_problem() {
    type Case = (fn(TopicRef, TopicRef, QueueRef, QueueRef) -> Subscription, &'static str);
    let cases: [Case; 9] = [
        (
            |topic, _, _, _| Subscription::email(topic, "a@b.example").raw(),
            "raw messages go to queues and web servers only, not to email",
        ),
        (
            |topic, _, _, _| Subscription::email(topic, "newsroom"),
            "messages are sent to `newsroom`, which must be a mail address",
        ),
        (
            |topic, _, _, _| Subscription::https(topic, "http://a.example"),
            "`http://a.example`, which must be an address that starts with https://",
        ),
        (|topic, _, _, _| Subscription::sms(topic, "0049"), "`0049`, which must be a number that starts with +"),
        (
            |_, fifo, _, _| Subscription::email(fifo, "a@b.example"),
            "a topic that keeps order sends to queues only, not to email",
        ),
        (
            |topic, _, _, fifo| Subscription::queue(topic, fifo),
            "a topic that keeps no order can't send to a FIFO queue",
        ),
        (
            |topic, _, queue, fifo| Subscription::queue(topic, queue).dead_letters_to(fifo),
            "the dead letters of a standard topic go to a standard queue",
        ),
        (
            |_, fifo, queue, _| Subscription::queue(fifo, queue).dead_letters_to(queue),
            "the dead letters of a FIFO topic go to a FIFO queue",
        ),
        (
            |topic, _, queue, _| Subscription::queue(topic, queue).filter("en"),
            "a filter policy is a JSON object with at least one key, not a string",
        ),
    ];
    for (subscription, message) in cases {
        let found = problems(|stack| {
            let topic = stack.add("Plain", Topic::standard());
            let ordered = stack.add("Ordered", Topic::fifo(Fifo::by_id()));
            let queue = stack.add("Queue", Queue::standard());
            let fifo = stack.add("OrderedQueue", Queue::fifo(Fifo::by_id()));
            stack.add("Heard", subscription(topic, ordered, queue, fifo));
        });
        assert!(found.contains("Heard: ") && found.contains(message), "{message}\n{found}");
    }
}
