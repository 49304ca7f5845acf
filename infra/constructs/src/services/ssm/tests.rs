use super::*;
use crate::{
    services::{
        iam::{Role, Service},
        kms::Key,
    },
    testing::{check, check_stack, problems},
    tree::{self, Id},
};

#[test]
fn renderings() {
    check("ssm_string", Parameter::string("finbert").description("The model in use").allowed_pattern("^[a-z]+$"));
    check("ssm_list", Parameter::list(["R:VOD.L", "R:BP.L"]).tier(Tier::IntelligentTiering).named("/news/topics"));
    check_stack("ssm_secure", |stack| {
        let key = stack.add("Key", Key::new("Encrypts parameters"));
        let given = stack.add("Given", tree::Parameter::new("Password of the feed").sensitive());
        stack.add("Feed", Parameter::secure(given.value::<Other>()).version(3).encrypted_by(key));
        stack.add("Token", Parameter::generated(PasswordRules::default()));
    });
    check_stack("ssm_existing", |stack| {
        let reader = stack.add("Reader", Role::of(Service::LAMBDA));
        let topics = stack.add("Topics", Parameter::existing("/prod/topics"));
        stack.grant(reader, topics.read());
    });
    check_stack("ssm_public", |stack| {
        let path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
        let image = stack.add("Image", PublicParameter::new(path));
        stack.output("ImageId", image.value::<Id>());
    });
}

#[test]
fn what_parameter_store_refuses_is_a_problem() {
    let cases = [
        (Parameter::string(""), "a parameter needs a value"),
        (Parameter::string("x".repeat(5000)), "the value has 5000 bytes; this tier takes 4096"),
        (Parameter::string("x").named("/aws/x"), "the name `/aws/x` starts with `aws`, which AWS keeps for itself"),
        (Parameter::string("x").named("a/b"), "the name `a/b` has levels and doesn't start with `/`"),
        (Parameter::string("x").named("/a b"), "the name `/a b` has a ` `; letters, digits and /_.- are allowed"),
    ];
    for (parameter, message) in cases {
        let found = problems(|stack| {
            stack.add("It", parameter);
        });
        assert!(found.contains(&format!("It: {message}")), "{found}");
    }
}

#[test]
fn a_secret_is_not_written_in_the_code() {
    let found = problems(|stack| {
        stack.add("It", Parameter::secure("hunter2"));
    });
    assert!(found.contains("It: a secret is written in the code"), "{found}");
}
