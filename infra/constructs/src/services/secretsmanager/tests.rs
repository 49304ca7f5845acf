use super::*;
use crate::{
    render::Format,
    services::{
        iam::{Role, Service},
        kms::Key,
        mq::{Broker, User, Version},
    },
    testing::{check, check_stack, problems},
    tree::App,
};

#[test]
fn renderings() {
    check("secretsmanager_empty", Secret::empty("Login of the news feed; put in by hand"));
    check("secretsmanager_generated", Secret::generated("newsloom", PasswordRules::default()));
    check_stack("secretsmanager_full", |stack| {
        let key = stack.add("Key", Key::new("Encrypts logins"));
        let reader = stack.add("Reader", Role::of(Service::LAMBDA));
        let rotator = "arn:aws:lambda:eu-west-1:123456789012:function:rotate";
        let statement = Statement::deny(["secretsmanager:DeleteSecret"]).to_everyone().on("*");
        let rules = PasswordRules::default().length(40).with_punctuation_but(",:=@/");
        let login = Secret::generated("newsloom", rules)
            .description("Login of the broker")
            .version(2)
            .encrypted_by(key)
            .recovery_window(Days(7))
            .replica("eu-central-1")
            .rotated_by(rotator, Days(30))
            .allowing(statement)
            .named("newsloom/broker");
        let login = stack.add("Login", login);
        stack.grant(reader, login.read());
        let rotator = stack.add("Rotator", Role::of(Service::LAMBDA));
        stack.grant(rotator, login.rotate());
        stack.output("LoginName", login.name());
    });
    check_stack("secretsmanager_existing", |stack| {
        let reader = stack.add("Reader", Role::of(Service::LAMBDA));
        let by_name = stack.add("Feed", Secret::existing("prod/feed"));
        let by_arn = stack
            .add("Other", Secret::existing_arn("arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf"));
        stack.grant(reader, by_name.read());
        stack.grant(reader, by_arn.write());
        stack.output("FeedName", by_name.name());
    });
}

#[test]
fn a_field_is_read_once_and_after_the_value_is_there() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let stack = app.stack("test");
    let login = stack.add("Login", Secret::generated("newsloom", PasswordRules::default()));
    let field = login.field(stack, "password");
    assert_eq!(login.field(stack, "password"), field);
    assert!(field.terraform.is_expression() && field.terraform.is_sensitive());
}

#[test]
fn a_field_and_a_name_cross_stacks() {
    let mut app = App::new("newsloom").region("eu-west-1");
    let login = app.stack("logins").add("Login", Secret::generated("newsloom", PasswordRules::default()));
    let broker = app.stack("broker");
    let user = User::new("newsloom", login);
    let broker = broker.add("Broker", Broker::rabbitmq(Version::V4_2, user).single("subnet-0a1b2c3d"));
    let monitoring = app.stack("monitoring");
    monitoring.output("BrokerName", broker.name());
    let rendered = app.synth(Format::All).expect("no problems");
    let file = |path| rendered.file(path).unwrap_or_default();
    let imported = "${data.terraform_remote_state.logins.outputs.login_id}";
    assert!(file("broker/secretsmanager.tf.json").contains(imported));
    assert!(
        file("cloudformation/broker.template.json")
            .contains("{{resolve:secretsmanager:${LoginsLoginId}:SecretString:password}}")
    );
    assert!(file("monitoring/outputs.tf.json").contains("newsloom-broker"));
}

#[test]
fn what_secrets_manager_refuses_is_a_problem() {
    let generated = || Secret::generated("newsloom", PasswordRules::default());
    let short = PasswordRules::default().length(8);
    let cases = [
        (Secret::generated("newsloom", short), "a password of 8 characters; it can have 12 to 4096"),
        (Secret::generated("", PasswordRules::default()), "a generated secret needs a username"),
        (generated().recovery_window(Days(3)), "a recovery window of 3 days; it is 0, or 7 to 30 days"),
        (generated().rotated_by("arn", Days(0)), "rotated every 0 days; Secrets Manager rotates every 1 to 1000 days"),
        (generated().named("news loom"), "the name `news loom` has a ` `; letters, digits and /_+=.@- are allowed"),
    ];
    for (secret, message) in cases {
        let found = problems(|stack| {
            stack.add("Login", secret);
        });
        assert!(found.contains(&format!("Login: {message}")), "{found}");
    }
}
