//! What people read who made a mistake.

use settings::Settings;

/// The head of a file that is right so far.
const HEAD: &str = "name = \"news\"\nregion = \"eu-west-1\"\n";

/// The end of a file that lacks nothing else.
const FEED: &str = "[[ingestion.feeds]]\nkind = \"rss\"\nname = \"rss\"\nurls = [\"https://example.com/feed\"]\n";

/// Snapshots a wrong file's text, and what is said about it.
fn check(situation: &str, text: &str) {
    let problems = Settings::from_toml("newsloom.toml", text).expect_err("the file is right");
    let numbered = text.lines().enumerate().map(|(index, line)| format!("{:>3} {line}\n", index + 1));
    let report = format!("{}\n{problems}\n", numbered.collect::<String>());
    let mut insta = insta::Settings::clone_current();
    insta.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    insta.set_prepend_module_to_snapshot(false);
    insta.set_omit_expression(true);
    insta.bind(|| insta::assert_snapshot!(format!("settings_{situation}"), report));
}

#[test]
fn broken_toml_says_where() {
    check("broken_toml", "name = news\nregion = \"eu-west-1\nname = \"twice\"\n");
}

#[test]
fn empty_file_says_what_is_needed() {
    check("empty", "");
}

#[test]
fn unknown_keys_say_what_was_meant_or_where_they_belong() {
    let text = format!(
        "{HEAD}remove = \"prevent\"\nttl_days = 3\nwindow_seconds = 1\ncolour = \"blue\"\n{FEED}\
         [ingestion.stream]\nretention-hours = 12\nshard = 1\n"
    );
    check("unknown_keys", &text);
}

#[test]
fn secrets_are_sent_to_secrets_manager_and_not_repeated() {
    let text = format!(
        "{HEAD}[[ingestion.feeds]]\nkind = \"lseg\"\nname = \"lseg\"\nregion = \"eu-west-1\"\n\
         client_secret = \"sesame\"\nclient_id = \"GE-1\"\n\
         [[ingestion.feeds]]\nkind = \"rss\"\nname = \"rss\"\nurls = [\"https://me:sesame@example.com/feed\"]\n\
         [redistribution.broker]\ndeployment = \"single\"\npassword = \"sesame\"\n"
    );
    let problems = Settings::from_toml("newsloom.toml", &text).unwrap_err().to_string();
    assert!(!problems.contains("sesame"), "{problems}");
    check("secrets", &text);
}

#[test]
fn wrong_values_say_what_is_allowed() {
    let text = format!(
        "name = \"My News\"\nregion = \"Ireland\"\nremoval = \"destory\"\narchitecture = \"arm\"\n\
         stages = true\naccount = 123456789012\n{FEED}poll_seconds = 5\n\
         [ingestion.stream]\nretention_hours = \"48\"\nshards = 0\n\
         [network]\nkind = \"new\"\nzones = 9\ncidr = 10\n\
         [monitoring]\nlog_retention_days = 10\nalarm_mail = [\"ops\", 1]\n\
         [[enrichment.routes]]\nname = \"en\"\nlanguages = [\"english\"]\n\
         endpoint = {{ kind = \"serverless\", memory_mib = 3000, max_concurrency = 300 }}\n"
    );
    check("wrong_values", &text);
}

#[test]
fn alternatives_are_named_and_checked_inside() {
    let text = format!(
        "{HEAD}[network]\nnat = true\n\
         [[ingestion.feeds]]\nkind = \"reuters\"\nname = \"a\"\n\
         [[ingestion.feeds]]\nkind = \"lseg\"\nname = \"b\"\nauthentication = \"v3\"\n\
         [ingestion.image]\nkind = \"id\"\nparameter = \"/aws/service/x\"\n\
         [redistribution.broker]\ndeployment = \"active_standby\"\n"
    );
    check("alternatives", &text);
}

#[test]
fn network_that_does_not_fit_together() {
    let text = format!(
        "{HEAD}{FEED}[network]\nkind = \"new\"\ncidr = \"10.0.4.0/16\"\n\
         zones = [\"eu-west-1a\", \"eu-central-1b\", \"eu-west-1a\"]\n\
         [redistribution.broker]\ndeployment = \"cluster\"\n"
    );
    check("network", &text);
    let text = format!(
        "{HEAD}{FEED}[network]\nkind = \"new\"\ncidr = \"10.0.0.0/20\"\nzones = 1\n\
         private_cidrs = [\"10.0.0.0/24\"]\npublic_cidrs = [\"10.1.0.0/24\", \"10.0.0.128/25\", \"10.0.0.300/24\"]\n\
         [redistribution.broker]\ndeployment = \"cluster\"\n"
    );
    check("subnets", &text);
}

#[test]
fn stages_that_do_not_fit_together() {
    let text = format!(
        "{HEAD}partition = \"aws-cn\"\n\
         [[ingestion.feeds]]\nkind = \"lseg\"\nname = \"news\"\nregion = \"us-east-1\"\n\
         authentication = \"v1\"\nconnections = 2\n\
         [[ingestion.feeds]]\nkind = \"replay\"\nname = \"news\"\nlocation = \"/var/news.jsonl\"\n\
         [ingestion.instance]\ninstance_type = \"t4g.small\"\nspool_mib = 20000\n\
         [ingestion.image]\nkind = \"baked\"\nschedule = \"cron(0 4 * * sun)\"\n\
         [encryption]\nkey_arn = \"arn:aws:kms:us-east-1:123456789012:key/1\"\n"
    );
    check("ingestion", &text);
    let text = format!(
        "{HEAD}{FEED}[enrichment]\nheadlines_per_request = 8\nrequests_in_flight = 16\n\
         [enrichment.function]\ntimeout_seconds = 10\n\
         [enrichment.trigger]\nmax_record_age_seconds = 86400\nbatch_size = 1000\n\
         [[enrichment.routes]]\nname = \"a\"\nlanguages = [\"en\", \"de\"]\n\
         endpoint = {{ kind = \"serverless\", max_concurrency = 4, provisioned_concurrency = 5 }}\n\
         [[enrichment.routes]]\nname = \"b\"\nlanguages = [\"de\"]\n\
         endpoint = {{ kind = \"instances\", count = 1, autoscaling = {{ min = 2, max = 4, requests_per_instance = 60 }} }}\n"
    );
    check("enrichment", &text);
    let text = format!(
        "{HEAD}{FEED}[redistribution.broker]\ndeployment = \"cluster\"\ninstance_type = \"mq.t3.micro\"\n\
         [redistribution.function]\ntimeout_seconds = 5\n\
         [redistribution.trigger]\nmax_record_age_seconds = 90000\n"
    );
    check("redistribution", &text);
}
