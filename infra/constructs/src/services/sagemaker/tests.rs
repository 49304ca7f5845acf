use super::*;
use crate::{
    render::Format,
    services::{
        iam::{Role, Service},
        kms::Key,
        units::{Days, Gib, Mib, Seconds},
    },
    testing::{check_stack, problems},
    tree::{Access, App, Arn, Attribute, Id, Lookup, Name, Raw, Ref},
};

const DIGEST: &str = "sha256:947399ae8b3fa131fc6d2da99f56c9c41195c7ce7cbd890e1e6c0dc328d238cd";

fn finbert() -> HubModel {
    HubModel::new("ProsusAI/finbert").revision("4556d13015211d73dccd3fdd39d39232506f3e43").task("text-classification")
}

fn own_image() -> Image {
    Image::uri("111122223333.dkr.ecr.eu-west-1.amazonaws.com/sentiment:7")
}

fn bucket(stack: &mut Stack) -> Ref<Name> {
    let bucket = Raw::resource("aws_s3_bucket").in_cloudformation("AWS::S3::Bucket");
    stack.add("Models", bucket).get("bucket", Access::Ref)
}

/// The id of something that exists already.
fn known(stack: &mut Stack, id: &str, value: &'static str) -> Ref<Id> {
    const ID: Attribute = Attribute::id("id", Access::Ref);
    let lookup = Lookup::new("aws_subnet", "AWS::EC2::Subnet").known(ID, value);
    Ref::new(stack.add(id, lookup), ID)
}

#[test]
fn renderings() {
    check_stack("sagemaker_serverless", |stack| {
        let model = stack.add("Finbert", Model::hugging_face(finbert()));
        let sentiment = stack.add("Sentiment", Endpoint::serving(model).serverless(Serverless::of(Mib(4096), 10)));
        let enrich = stack.add("Enrich", Role::of(Service::LAMBDA));
        stack.grant(enrich, sentiment.invoke());
        stack.output("EndpointName", sentiment.name());
    });
    check_stack("sagemaker_on_instances", |stack| {
        let image = Image::hugging_face(HuggingFace::GPU).pinned(DIGEST);
        let model = Model::hugging_face(finbert()).image(image).environment("MMS_DEFAULT_WORKERS_PER_MODEL", "1");
        let model = stack.add("Finbert", model);
        let instances = Instances::of("ml.g4dn.xlarge").count(2).startup_timeout(Seconds(600));
        let alarm = "newsloom-sentiment-errors";
        let deployment = Deployment::canary(10, Seconds(300)).rolled_back_by(alarm).timeout(Seconds(3600));
        stack.add("Sentiment", Endpoint::serving(model).on_instances(instances).deployed(deployment));
    });
    check_stack("sagemaker_existing", |stack| {
        let sentiment = stack.add("Sentiment", Endpoint::existing("sentiment"));
        let enrich = stack.add("Enrich", Role::of(Service::LAMBDA));
        stack.grant(enrich, sentiment.invoke());
        let model = stack.add("Finbert", Model::existing("finbert"));
        stack.add("Trial", Endpoint::serving(model).serverless(Serverless::of(Mib(2048), 5).provisioned(1)));
    });
}

#[test]
fn several_variants_with_everything() {
    check_stack("sagemaker_several_variants", |stack| {
        let key = stack.add("Key", Key::new("Encrypts models and captures"));
        let address = Text::from("s3://") + bucket(stack);
        let subnet = known(stack, "Subnet", "subnet-0a1b2c3d4e5f60718");
        let group = known(stack, "Group", "sg-0a1b2c3d4e5f60718");
        let model = Model::artifact(own_image(), address.clone() + "/finbert/model.tar.gz")
            .decrypted_by(key)
            .isolated()
            .in_vpc([subnet], [group]);
        let model = stack.add("Finbert", model);
        let role = model.role().expect("made with it");
        let newer = stack.add("Newer", Model::files(own_image(), address.clone() + "/newer/").role(role));
        let capture = DataCapture::to(address + "/captured", 5).only(Capture::Output).encrypted_by(key);
        let instances = Instances::of("ml.m5.large").volume(Gib(30)).routing(Routing::LeastOutstandingRequests);
        let both = EndpointConfiguration::on_instances(model, instances)
            .and(Variant::of("newer", newer, Instances::of("ml.m5.large")).weight(0.25))
            .capturing(capture)
            .encrypted_by(key);
        let configuration = stack.add("Configuration", both);
        let linear = Deployment::linear(25, Seconds(120)).keeping_old_fleet(Seconds(600));
        stack.add("Sentiment", Endpoint::of(configuration).deployed(linear).logs_kept(Days(90)).named("sentiment"));
    });
}

#[test]
fn an_asynchronous_endpoint_reads_and_writes_s3() {
    check_stack("sagemaker_asynchronous", |stack| {
        let address = Text::from("s3://") + bucket(stack);
        let topic = stack.add("Answers", Raw::resource("aws_sns_topic").in_cloudformation("AWS::SNS::Topic"));
        let topic: Ref<Arn> = topic.get("arn", Access::Ref);
        let model = stack.add("Finbert", Model::hugging_face(finbert()));
        let asynchronous = Asynchronous::between(address.clone() + "/requests", address.clone() + "/answers")
            .failures(address + "/failures")
            .telling(topic, topic)
            .at_once(4);
        let configuration =
            EndpointConfiguration::on_instances(model, Instances::of("ml.m5.large")).asynchronous(asynchronous);
        let archive = stack.add("Archive", Endpoint::configured(configuration));
        let caller = stack.add("Caller", Role::of(Service::LAMBDA));
        stack.grant(caller, archive.invoke_asynchronously());
    });
}

fn app_in(region: Option<&str>, model: Model) -> App {
    let mut app = App::new("newsloom");
    if let Some(region) = region {
        app = app.region(region);
    }
    app.stack("enrichment").add("Finbert", model);
    app
}

#[test]
fn the_registry_follows_the_region() {
    let cases = [
        ("eu-west-1", "763104351884.dkr.ecr.eu-west-1."),
        ("eu-south-1", "692866216735.dkr.ecr.eu-south-1."),
        ("cn-north-1", "727897471807.dkr.ecr.cn-north-1."),
        ("us-gov-east-1", "446045086412.dkr.ecr.us-gov-east-1."),
    ];
    for (region, address) in cases {
        let rendered = app_in(Some(region), Model::hugging_face(finbert())).synth(Format::All).expect("no problems");
        assert!(rendered.file("sagemaker.tf.json").is_some_and(|file| file.contains(address)), "{region}");
    }
}

#[test]
fn without_a_region_terraform_looks_the_registry_up_and_cloudformation_asks_for_one() {
    let app = app_in(None, Model::hugging_face(finbert()));
    let rendered = app.synth(Format::Terraform).expect("no problems");
    let looked_up = "${data.aws_sagemaker_prebuilt_ecr_image.finbert_registry.registry_id}.dkr.ecr.";
    assert!(rendered.file("sagemaker.tf.json").is_some_and(|file| file.contains(looked_up)));
    let found = app.synth(Format::CloudFormation).err().map(|problems| problems.to_string()).unwrap_or_default();
    assert!(found.contains("the registry of the Hugging Face containers differs by region; fix one"), "{found}");
}

#[test]
fn a_place_is_taken_apart_whatever_it_is_made_of() {
    let arn = |rest: &'static str| Text::from("arn:") + Pseudo::Partition + ":s3:::" + rest;
    let found = place(&Text::from("s3://models/a/b.tar.gz")).expect("an address");
    assert_eq!((found.bucket, found.object), (arn("models"), arn("models/a/b.tar.gz")));
    let joined = place(&(Text::from("s3://models-") + Pseudo::Region + "/a")).expect("an address");
    assert_eq!(joined.bucket, arn("models-") + Pseudo::Region);
    assert_eq!(joined.object, arn("models-") + Pseudo::Region + "/a");
    assert!(place(&Text::from("https://models/a")).is_none());
}

#[test]
fn models_that_cannot_be() {
    let image = || Image::hugging_face(HuggingFace::CPU);
    let cases: Vec<(Model, &str)> = vec![
        (
            Model::hugging_face(finbert()).environment("HF_API_TOKEN", "hf_x"),
            "the variable `HF_API_TOKEN` would show a token",
        ),
        (Model::hugging_face(finbert()).environment("no-hyphens", "1"), "the variable `no-hyphens` must be letters"),
        (Model::hugging_face(finbert()).isolated(), "an isolated container can't fetch a model from the hub"),
        (Model::hugging_face(HubModel::new("a/b/c")), "the hub's model `a/b/c` must be `owner/name`"),
        (Model::hugging_face(finbert()).in_vpc([], []), "it was given 0 and 0"),
        (Model::hugging_face(finbert()).named("under_score"), "the model's name `under_score` must be letters"),
        (Model::artifact(image(), "models/a"), "is said as `s3://bucket/key`"),
        (Model::container(image().pinned("sha256:12")), "the image's digest `sha256:12` must be"),
        (Model::container(Image::uri("docker.io/x:1")), "the image `docker.io/x:1` is not in an ECR repository"),
        (Model::container(Image::uri(Text::from(Pseudo::Account) + ".dkr")), "with `in_repository`"),
    ];
    for (model, expected) in cases {
        let found = problems(|stack| {
            stack.add("Finbert", model);
        });
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let app = app_in(Some("mx-central-1"), Model::hugging_face(finbert()));
    let found = app.synth(Format::All).err().map(|problems| problems.to_string()).unwrap_or_default();
    assert!(found.contains("no registry of the Hugging Face containers is known in `mx-central-1`"), "{found}");
}

type Make = fn(ModelRef) -> Endpoint;

#[test]
fn endpoints_that_cannot_be() {
    fn on(instances: Instances) -> impl Fn(ModelRef) -> InstanceConfiguration {
        move |model| EndpointConfiguration::on_instances(model, instances.clone())
    }
    let cases: [(Make, &str); 17] = [
        (
            |model| Endpoint::serving(model).serverless(Serverless::of(Mib(1500), 5)),
            "has 1500 MiB; SageMaker takes 1024",
        ),
        (|model| Endpoint::serving(model).serverless(Serverless::of(Mib(1024), 201)), "maximum concurrency is 201"),
        (
            |model| Endpoint::serving(model).serverless(Serverless::of(Mib(1024), 5).provisioned(6)),
            "6 requests are kept warm",
        ),
        (
            |model| Endpoint::serving(model).on_instances(Instances::of("m5.large")),
            "the instance type `m5.large` must be",
        ),
        (|model| Endpoint::serving(model).on_instances(Instances::of("ml.m5.large").count(0)), "at least 1 instance"),
        (|model| Endpoint::serving(model).on_instances(Instances::of("ml.m5.large").volume(Gib(513))), "513 GiB"),
        (
            |model| Endpoint::serving(model).on_instances(Instances::of("ml.m5d.large").volume(Gib(50))),
            "takes no volume",
        ),
        (
            |model| Endpoint::serving(model).on_instances(Instances::of("ml.m5.large").startup_timeout(Seconds(5))),
            "5 seconds",
        ),
        (
            |model| {
                Endpoint::configured(on(Instances::of("ml.m5.large"))(model).and(Variant::of(
                    "primary",
                    model,
                    Instances::of("ml.m5.large"),
                )))
            },
            "two variants are called `primary`",
        ),
        (
            |model| {
                Endpoint::configured(
                    on(Instances::of("ml.m5.large"))(model)
                        .and(Variant::of("b", model, Instances::of("ml.m5.large")).weight(-1.0)),
                )
            },
            "has the weight -1",
        ),
        (
            |model| {
                Endpoint::configured(on(Instances::of("ml.m5.large"))(model).capturing(DataCapture::to("s3://b/c", 0)))
            },
            "0 % of the requests",
        ),
        (
            |model| Endpoint::configured(on(Instances::of("ml.m5.large"))(model).capturing(DataCapture::to("b/c", 5))),
            "`s3://bucket/prefix`",
        ),
        (
            |model| {
                Endpoint::serving(model)
                    .serverless(Serverless::of(Mib(1024), 5))
                    .deployed(Deployment::rolling(10, Seconds(60)))
            },
            "a rolling deployment is for one variant",
        ),
        (
            |model| {
                Endpoint::serving(model)
                    .on_instances(Instances::of("ml.m5.large"))
                    .deployed(Deployment::canary(60, Seconds(60)))
            },
            "60 %; SageMaker takes 1 to 50",
        ),
        (
            |model| {
                Endpoint::serving(model)
                    .on_instances(Instances::of("ml.m5.large"))
                    .deployed(Deployment::rolling(10, Seconds(60)).keeping_old_fleet(Seconds(1)))
            },
            "no old fleet",
        ),
        (
            |model| Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")).logs_kept(Days(29)),
            "kept for 29 days",
        ),
        (
            |model| Endpoint::serving(model).on_instances(Instances::of("ml.m5.large")).named("a".repeat(64)),
            "has 64 letters; SageMaker takes up to 63",
        ),
    ];
    for (make, expected) in cases {
        let found = problems(|stack| {
            let model = stack.add("Finbert", Model::container(own_image()));
            stack.add("Sentiment", make(model));
        });
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn a_key_is_refused_where_hardware_encrypts() {
    let found = problems(|stack| {
        let key = stack.add("Key", Key::new("Encrypts volumes"));
        let model = stack.add("Finbert", Model::container(own_image()));
        let configuration = EndpointConfiguration::on_instances(model, Instances::of("ml.g5.xlarge")).encrypted_by(key);
        stack.add("Sentiment", Endpoint::configured(configuration));
    });
    assert!(found.contains("`ml.g5.xlarge` has local storage, which its hardware encrypts"), "{found}");
}

#[test]
fn a_serverless_endpoint_has_neither_a_vpc_nor_graphics_processors() {
    let serve = |model: Model| {
        problems(|stack| {
            let model = stack.add("Finbert", model);
            stack.add("Sentiment", Endpoint::serving(model).serverless(Serverless::of(Mib(4096), 10)));
        })
    };
    let isolated = serve(Model::container(own_image()).isolated());
    assert!(isolated.contains("can't serve a model in a VPC or an isolated one"), "{isolated}");
    let graphics = serve(Model::hugging_face(finbert()).image(Image::hugging_face(HuggingFace::GPU)));
    assert!(graphics.contains("has no graphics processors; take `HuggingFace::CPU`"), "{graphics}");
}
