use super::*;
use crate::{
    services::{
        iam::{Role, Service},
        kms::Key,
        units::{Days, Hours, Minutes},
    },
    testing::{check, check_stack, problems},
};

#[test]
fn renderings() {
    check("sqs_standard", Queue::standard());
    check("sqs_fifo", Queue::fifo(Fifo::by_content().per_group()).named("orders"));
    check_stack("sqs_with_dead_letters", |stack| {
        let arn = Text::from("arn:") + Pseudo::Partition + ":sqs:" + Pseudo::Region + ":" + Pseudo::Account;
        let failed = Queue::standard().retention(Days(14)).dead_letters_only_from([arn + ":newsloom-work"]);
        let failed = stack.add("Failed", failed);
        let work = Queue::standard()
            .visibility(Minutes(6))
            .delay(Seconds(5))
            .receive_wait(Seconds(10))
            .largest_message(262_144)
            .dead_letters_to(failed, 5)
            .no_dead_letters()
            .allow_service("events.amazonaws.com");
        stack.add("Work", work);
    });
    check_stack("sqs_with_own_key", |stack| {
        let key = stack.add("Key", Key::new("Encrypts what waits"));
        let work = stack.add("Work", Queue::standard().encrypted_by(key).key_reused_for(Hours(1)));
        let sender = stack.add("Sender", Role::of(Service::EC2));
        stack.grant(sender, work.send());
        let receiver = stack.add("Receiver", Role::of(Service::LAMBDA));
        stack.grant(receiver, work.receive());
    });
    check_stack("sqs_existing", |stack| {
        let work = stack.add("Work", Queue::existing("prod-work"));
        let sender = stack.add("Sender", Role::of(Service::EC2));
        stack.grant(sender, work.send().and(work.purge()));
        stack.output("Url", work.url());
    });
}

#[test]
fn what_sqs_refuses_is_a_problem() {
    let queue = Queue::standard;
    let cases: [(Queue, &str); 9] = [
        (queue().visibility(Hours(13)), "the visibility timeout is 46800 seconds; SQS takes 0 to 43200 seconds"),
        (queue().retention(Seconds(59)), "the retention is 59 seconds; SQS takes 60 to 1209600 seconds"),
        (queue().delay(Minutes(16)), "the delay is 960 seconds; SQS takes 0 to 900 seconds"),
        (queue().receive_wait(Seconds(21)), "the receive wait is 21 seconds; SQS takes 0 to 20 seconds"),
        (queue().largest_message(10), "the largest message has 10 bytes; SQS takes 1024 to 1048576 bytes"),
        (queue().key_reused_for(Hours(1)), "a data key is reused only where the queue has a key of its own"),
        (queue().dead_letters_only_from([""; 0]), "dead letters are taken from 0 queues; SQS takes 1 to 10"),
        (queue().named("a.fifo"), "the queue name `a.fifo` must be letters, digits, `-` and `_`"),
        (Queue::fifo(Fifo::by_id()).named("a".repeat(76)), "has 81 characters; SQS takes 1 to 80"),
    ];
    for (queue, message) in cases {
        let found = problems(|stack| {
            stack.add("Work", queue);
        });
        assert!(found.contains("Work: ") && found.contains(message), "{message}\n{found}");
    }
}

#[test]
fn dead_letters_go_to_a_queue_of_the_same_kind() {
    let found = problems(|stack| {
        let ordered = stack.add("Ordered", Queue::fifo(Fifo::by_id()));
        let plain = stack.add("Plain", Queue::standard().dead_letters_to(ordered, 0));
        stack.add("Work", Queue::fifo(Fifo::by_id()).dead_letters_to(plain, 3));
    });
    assert!(found.contains("Plain: the queue is standard, and its dead letters go to one that keeps order"), "{found}");
    assert!(found.contains("Plain: a message is set aside after 0 receives; SQS takes 1 to 1000"), "{found}");
    assert!(found.contains("Work: the queue is FIFO, and its dead letters go to a standard one"), "{found}");
}
