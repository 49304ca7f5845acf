use super::*;
use crate::{
    policy::Statement,
    services::{
        iam::{Role, Service},
        kms::Key,
        sns::Topic,
        sqs::{Fifo, Queue},
        units::Days,
    },
    testing::{check, check_stack, problems},
    tree::{Pseudo, Removal, Stack},
};

#[test]
fn renderings() {
    check("s3_bucket", Bucket::new());
    check_stack("s3_full", |stack| {
        let logs = stack.add("Logs", Bucket::new().unversioned().rule(Rule::new("Old").expire_after(Days(90))));
        let arrived = stack.add("Arrived", Queue::standard());
        let gone = stack.add("Gone", Topic::standard());
        let archive = Rule::new("Archive")
            .under("news/")
            .move_to(StorageClass::InfrequentAccess, Days(30))
            .move_to(StorageClass::DeepArchive, Days(180))
            .expire_after(Days(3650))
            .move_noncurrent_to(StorageClass::GlacierInstant, Days(7))
            .expire_noncurrent_after(Days(90))
            .keep_newest(3);
        let delivery = Statement::allow(["s3:GetObject", "s3:ListBucket"]).to_service("cloudfront.amazonaws.com").when(
            "StringEquals",
            "aws:SourceAccount",
            Pseudo::Account,
        );
        let news = Bucket::new()
            .expire_noncurrent_after(Days(30))
            .abort_uploads_after(Days(1))
            .rule(archive)
            .logging_to(logs, "news/")
            .notifying_event_bus()
            .notifying_queue(Event::created().under("news/").ending_in(".json"), arrived)
            .notifying_topic(Event::removed(), gone)
            .minimum_tls(Tls::V1_3)
            .allowing(delivery);
        stack.add("News", news);
    });
    check_stack("s3_with_own_key", |stack| {
        let key = stack.add("Key", Key::new("Encrypts what is set aside"));
        let aside = stack.add("Aside", Bucket::new().encrypted_by(key).named("newsloom-aside-prod"));
        let writer = stack.add("Writer", Role::of(Service::LAMBDA));
        stack.grant(writer, aside.put_prefix("aside/"));
        let reader = stack.add("Reader", Role::of(Service::EC2));
        stack.grant(reader, aside.read_prefix("aside/"));
        let keeper = stack.add("Keeper", Role::of(Service::EC2));
        stack.grant(keeper, aside.read().and(aside.write()));
        stack.output("Host", aside.host());
    });
    check_stack("s3_existing", |stack| {
        let models = stack.add("Models", Bucket::existing("prod-models"));
        let reader = stack.add("Reader", Role::of(Service::SAGEMAKER));
        stack.grant(reader, models.read());
        stack.output("Host", models.host());
    });
    check_stack("s3_for_a_trial", |stack| {
        let trial = stack.add("Trial", Bucket::new().unversioned());
        stack.protect(trial, Removal::Destroy);
    });
    check_stack("s3_objects", |stack| {
        let code = stack.add("Code", Bucket::new());
        stack.add("Ingester", Object::file(code, "ingester.zip", "target/ingester.zip"));
        stack.add("Settings", Object::text(code, "settings.json", "{}").content_type("application/json"));
    });
}

#[test]
fn what_s3_refuses_is_a_problem() {
    let rule = |rule: Rule| Bucket::new().rule(rule);
    let cases: [(Bucket, &str); 12] = [
        (rule(Rule::new("Idle")), "the rule `Idle` does nothing; say when objects expire or move"),
        (rule(Rule::new("Now").expire_after(Days(0))), "the rule `Now` acts after 0 days; S3 takes 1 or more"),
        (
            rule(Rule::new("Soon").move_to(StorageClass::OneZone, Days(7))),
            "the rule `Soon` moves to ONEZONE_IA after 7 days; S3 takes 30 or more",
        ),
        (
            rule(Rule::new("Late").move_to(StorageClass::Glacier, Days(90)).expire_after(Days(60))),
            "the rule `Late` moves objects after 90 days, when they expired after 60",
        ),
        (rule(Rule::new("Keep").keep_newest(3)), "the rule `Keep` keeps the newest versions but expires none"),
        (
            rule(Rule::new("Keep").expire_noncurrent_after(Days(1)).keep_newest(101)),
            "the rule `Keep` keeps 101 versions; S3 takes 1 to 100",
        ),
        (rule(Rule::new("Uploads").expire_after(Days(1))), "two rules are named `Uploads`"),
        (rule(Rule::new("").expire_after(Days(1))), "the rule `` has a name of 0 characters; S3 takes 1 to 255"),
        (
            Bucket::new().unversioned().expire_noncurrent_after(Days(1)),
            "the rule `Noncurrent` is about old versions, and the bucket keeps none",
        ),
        (Bucket::new().named("News"), "the bucket name `News` must be 3 to 63 small letters"),
        (Bucket::new().named("news-"), "the bucket name `news-` must be 3 to 63 small letters"),
        (Bucket::new().abort_uploads_after(Days(0)), "the rule `Uploads` acts after 0 days"),
    ];
    for (bucket, message) in cases {
        let found = problems(|stack: &mut Stack| {
            stack.add("News", bucket);
        });
        assert!(found.contains(&format!("News: {message}")), "{message}\n{found}");
    }
}

#[test]
fn a_name_leaves_room_for_account_and_region() {
    let found = problems(|stack| {
        stack.add("BucketThatKeepsAllTheNews", Bucket::new());
    });
    assert_eq!(found, "");
    let found = problems(|stack| {
        stack.add("TheBucketThatKeepsAllTheNewsOfTheWorld", Bucket::new());
    });
    assert_eq!(found, "", "what is too long is cut");
}

#[test]
fn logs_and_notifications_go_where_s3_can_write() {
    let found = problems(|stack| {
        let key = stack.add("Key", Key::new("Encrypts logs"));
        let logs = stack.add("Logs", Bucket::new().encrypted_by(key));
        stack.add("All", Bucket::new().encrypted_by(key).taking_logs());
        let ordered = stack.add("Ordered", Queue::fifo(Fifo::by_id()));
        stack.add("News", Bucket::new().logging_to(logs, "news/").notifying_queue(Event::created(), ordered));
    });
    assert!(found.contains("News: S3 writes no logs to a bucket that is encrypted with a KMS key"), "{found}");
    assert!(found.contains("All: S3 writes no logs to a bucket that is encrypted with a KMS key"), "{found}");
    assert!(found.contains("News: a bucket notifies standard queues and topics only"), "{found}");
}

#[test]
fn an_object_is_for_terraform_only() {
    let found = problems(|stack| {
        let code = stack.add("Code", Bucket::new());
        let settings = stack.add("Settings", Object::text(code, "/settings.json", "{}"));
        stack.output("Version", settings.version());
    });
    assert!(found.contains("Settings: the object key `/settings.json` starts with `/`"), "{found}");
    assert!(found.contains("version_id"), "{found}");
}
