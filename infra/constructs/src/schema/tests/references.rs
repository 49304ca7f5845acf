//! References against what they are to.

use super::*;

const NODE: NodeRef = NodeRef { stack: 0, index: 0 };

/// Every reference is to one type.
struct AllTo(&'static str);

impl References for AllTo {
    fn schema_of(&self, _: Reference) -> Option<Arc<Schema>> {
        Some(schema(self.0))
    }
}

fn found(target: &'static str, name: &str, property: &'static str, value: Value) -> Vec<String> {
    let properties = Properties::default().set(property, value);
    let findings = check(&schema(name), &properties, &AllTo(target));
    let about = findings.into_iter().filter(|finding| finding.path == property);
    about.map(|finding| finding.message).collect()
}

fn value(attribute: Attribute) -> Value {
    Reference { node: NODE, attribute }.into()
}

#[test]
fn an_attribute_that_does_not_exist_is_a_finding() {
    let arn = value(Attribute::arn("arnn", Access::GetAtt("ARN")));
    assert_eq!(
        found("aws_iam_role", "aws_lambda_function", "role", arn.clone()),
        ["role is a reference to `arnn`, which aws_iam_role does not have; did you mean `arn`?"]
    );
    assert_eq!(
        found("AWS::IAM::Role", "AWS::Lambda::Function", "Role", arn),
        ["Role is a reference to `ARN`, which AWS::IAM::Role does not have; did you mean `Arn`?"]
    );
}

#[test]
fn a_list_does_not_fit_where_a_string_belongs() {
    let list = value(Attribute::other("instances[0].endpoints", Access::GetAtt("AmqpEndpoints")));
    assert_eq!(
        found("aws_mq_broker", "aws_ssm_parameter", "value", list.clone()),
        ["value is a reference to `instances[0].endpoints`, a list; a string is needed"]
    );
    assert_eq!(
        found("AWS::AmazonMQ::Broker", "AWS::SSM::Parameter", "Value", list),
        ["Value is a reference to `AmqpEndpoints`, a list; a string is needed"]
    );
    let one = value(Attribute::other("instances[0].endpoints[0]", Access::Select(0, "AmqpEndpoints")));
    assert_eq!(found("aws_mq_broker", "aws_ssm_parameter", "value", one.clone()), [""; 0]);
    assert_eq!(found("AWS::AmazonMQ::Broker", "AWS::SSM::Parameter", "Value", one), [""; 0]);
}

#[test]
fn a_list_does_not_fit_inside_a_string() {
    let list = Attribute::other("subnet_ids", Access::None);
    let text = Text::from("ids: ") + Reference { node: NODE, attribute: list };
    let expected = "value is a reference to `subnet_ids`, a list; a string is needed";
    assert_eq!(found("aws_mq_broker", "aws_ssm_parameter", "value", text.into()), [expected]);
}

#[test]
fn a_name_where_an_arn_belongs_is_a_finding() {
    let name = value(Attribute::name("name", Access::Ref));
    let expected = "takes an ARN; the reference is a name";
    assert_eq!(found("aws_iam_role", "aws_lambda_function", "role", name.clone()), [format!("role {expected}")]);
    assert_eq!(found("AWS::IAM::Role", "AWS::Lambda::Function", "Role", name), [format!("Role {expected}")]);
}

#[test]
fn an_arn_where_a_name_belongs_is_a_finding_unless_it_is_taken_too() {
    let arn = value(Attribute::arn("arn", Access::GetAtt("Arn")));
    assert_eq!(
        found("aws_kinesis_stream", "aws_kinesis_stream", "name", arn.clone()),
        ["name takes no ARN; the reference is one"]
    );
    let mapping = "aws_lambda_event_source_mapping";
    assert_eq!(found("aws_lambda_function", mapping, "function_name", arn.clone()), [""; 0]);
    let permission = "AWS::Lambda::Permission";
    assert_eq!(found("AWS::Lambda::Function", permission, "FunctionName", arn), [""; 0]);
}

#[test]
fn a_joined_text_is_a_string() {
    let text = Text::from("1") + Reference { node: NODE, attribute: Attribute::id("id", Access::Ref) };
    assert_eq!(
        found("aws_vpc", "aws_mq_broker", "subnet_ids", text.into()),
        ["subnet_ids is a string; a list is needed"]
    );
}
