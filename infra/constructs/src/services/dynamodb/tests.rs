use super::*;
use crate::{
    services::{
        iam::{Role, Service},
        kms::Key as KmsKey,
        units::Days,
    },
    testing::{check, check_stack, problems},
    tree::{Removal, Stack},
};

#[test]
fn renderings() {
    check("dynamodb_minimal", Table::keyed_by("article_id"));
    check("dynamodb_provisioned", provisioned());
    check("dynamodb_full", full());
    check_stack("dynamodb_with_own_key", |stack| {
        let key = stack.add("Key", KmsKey::new("Encrypts the articles"));
        let articles = Table::keyed_by("article_id").encrypted_by(key).streaming(View::NewImage);
        let articles = stack.add("Articles", articles);
        let publish = stack.add("Publish", Role::of(Service::LAMBDA));
        stack.grant(publish, articles.read_changes());
        let enrich = stack.add("Enrich", Role::of(Service::LAMBDA));
        stack.grant(enrich, articles.get_items());
        stack.grant(enrich, articles.insert_items());
        stack.output("StreamArn", articles.stream_arn());
    });
    check_stack("dynamodb_existing", |stack| {
        let articles = stack.add("Articles", Table::existing("prod-articles").with_indexes().streaming());
        let reader = stack.add("Reader", Role::of(Service::EC2));
        stack.grant(reader, articles.read());
        stack.grant(reader, articles.read_changes());
    });
    check_stack("dynamodb_for_a_trial", |stack| {
        let trial = stack.add("Trial", Table::keyed_by("id").unrecoverable().encrypted_by_aws());
        stack.protect(trial, Removal::Destroy);
        let user = stack.add("User", Role::of(Service::EC2));
        stack.grant(user, trial.read().and(trial.write()));
        stack.grant(user, trial.query_index("by_day"));
    });
}

fn provisioned() -> Table {
    Table::keyed_by(Key::text("ticker"))
        .sorted_by(Key::number("published"))
        .provisioned(10, 5)
        .index(GlobalIndex::new("by_source", "source").keys_only())
        .index(GlobalIndex::new("by_day", Key::number("day")).provisioned(2, 5))
        .local_index(LocalIndex::new("by_score", Key::number("score")).including(["headline"]))
        .infrequently_used()
        .named("scores")
}

fn full() -> StreamingTable {
    Table::keyed_by("article_id")
        .at_most(4000, 1000)
        .index(
            GlobalIndex::new("by_language", "language").sorted_by(Key::number("published")).including(["title", "url"]),
        )
        .index(GlobalIndex::new("by_publisher", "publisher").at_most(100, 1000))
        .expires_at("expires_at")
        .recoverable_for(Days(7))
        .with_insights()
        .streaming(View::NewAndOldImages)
}

#[test]
fn what_dynamodb_refuses_is_a_problem() {
    let table = || Table::keyed_by("id");
    let cases: [(Table, &str); 14] = [
        (
            table().index(GlobalIndex::new("by_id", Key::number("id"))),
            "the key attribute `id` is text in one place and a number in another; it has one type",
        ),
        (table().sorted_by("id"), "`id` is both partition key and sort key; they are two attributes"),
        (
            table().index(GlobalIndex::new("by_day", "day").sorted_by("day")),
            "`day` is both partition key and sort key; they are two attributes",
        ),
        (
            table().local_index(LocalIndex::new("by_day", "day")),
            "a local index is another sort key, and the table has none",
        ),
        (table().index(GlobalIndex::new("by day", "day")), "the index name `by day` must be 3 to 255"),
        (
            table().index(GlobalIndex::new("by_day", "day").including([""; 0])),
            "the index `by_day` includes no attribute",
        ),
        (
            table().index(GlobalIndex::new("by_day", "day")).index(GlobalIndex::new("by_day", "week")),
            "two indexes are named `by_day`",
        ),
        (
            table().index(GlobalIndex::new("by_day", "day").provisioned(1, 1)),
            "the index `by_day` is provisioned; the indexes of an on-demand table take at_most",
        ),
        (
            table().provisioned(1, 1).index(GlobalIndex::new("by_day", "day").at_most(1, 1)),
            "the index `by_day` is limited with at_most; the indexes of a provisioned table are provisioned",
        ),
        (table().provisioned(0, 1), "the table has 0 reads and 1 writes a second; each is at least 1"),
        (table().recoverable_for(Days(36)), "point-in-time recovery reaches back 36 days; DynamoDB keeps 1 to 35 days"),
        (table().expires_at("id"), "items expire at the time in `id`, which must be a number"),
        (table().named("my articles"), "the table name `my articles` must be 3 to 255"),
        (
            (0..6).fold(table().sorted_by("n"), |table, n| {
                table.local_index(LocalIndex::new(format!("by_{n}"), format!("a{n}")))
            }),
            "there are 6 local indexes; a table has 5 at most",
        ),
    ];
    for (table, message) in cases {
        let found = problems(|stack: &mut Stack| {
            stack.add("Articles", table);
        });
        assert!(found.contains(&format!("Articles: {message}")), "{message}\n{found}");
    }
}

#[test]
fn rights_on_indexes_are_given_only_where_there_are_some() {
    let mut app = crate::tree::App::new("newsloom");
    let stack = app.stack("test");
    let plain = stack.add("Plain", Table::keyed_by("id"));
    let indexed = stack.add("Indexed", provisioned());
    assert_eq!(plain.read().statements().len(), 1);
    assert_eq!(indexed.read().statements().len(), 2);
    assert_eq!(indexed.put_items().statements()[0].actions, ["dynamodb:PutItem"]);
    assert_eq!(indexed.insert_items().statements()[0].actions, ["dynamodb:PartiQLInsert"]);
    assert_eq!(indexed.get_items().statements()[0].resources, [indexed.arn().into()]);
}
