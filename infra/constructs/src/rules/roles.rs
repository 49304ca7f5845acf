//! Roles: that the service may assume what it is given, and that a role goes by its name where it does.

use super::{Findings, Subject, reference};

/// A property that takes a role, and the service that assumes it; in both backends' words.
const ASSUMED: [(&str, &str, &str); 27] = [
    ("aws_cloudwatch_event_target", "role_arn", "events.amazonaws.com"),
    ("aws_codebuild_project", "service_role", "codebuild.amazonaws.com"),
    ("aws_ecs_task_definition", "execution_role_arn", "ecs-tasks.amazonaws.com"),
    ("aws_ecs_task_definition", "task_role_arn", "ecs-tasks.amazonaws.com"),
    ("aws_flow_log", "iam_role_arn", "vpc-flow-logs.amazonaws.com"),
    ("aws_iam_instance_profile", "role", "ec2.amazonaws.com"),
    ("aws_kinesis_firehose_delivery_stream", "extended_s3_configuration.role_arn", "firehose.amazonaws.com"),
    ("aws_kinesis_firehose_delivery_stream", "kinesis_source_configuration.role_arn", "firehose.amazonaws.com"),
    ("aws_lambda_function", "role", "lambda.amazonaws.com"),
    ("aws_pipes_pipe", "role_arn", "pipes.amazonaws.com"),
    ("aws_sagemaker_model", "execution_role_arn", "sagemaker.amazonaws.com"),
    ("aws_sagemaker_notebook_instance", "role_arn", "sagemaker.amazonaws.com"),
    ("aws_scheduler_schedule", "target.role_arn", "scheduler.amazonaws.com"),
    ("aws_sfn_state_machine", "role_arn", "states.amazonaws.com"),
    ("AWS::CodeBuild::Project", "ServiceRole", "codebuild.amazonaws.com"),
    ("AWS::EC2::FlowLog", "DeliverLogsPermissionArn", "vpc-flow-logs.amazonaws.com"),
    ("AWS::ECS::TaskDefinition", "ExecutionRoleArn", "ecs-tasks.amazonaws.com"),
    ("AWS::ECS::TaskDefinition", "TaskRoleArn", "ecs-tasks.amazonaws.com"),
    ("AWS::Events::Rule", "Targets.RoleArn", "events.amazonaws.com"),
    ("AWS::IAM::InstanceProfile", "Roles", "ec2.amazonaws.com"),
    ("AWS::KinesisFirehose::DeliveryStream", "ExtendedS3DestinationConfiguration.RoleARN", "firehose.amazonaws.com"),
    ("AWS::Lambda::Function", "Role", "lambda.amazonaws.com"),
    ("AWS::Pipes::Pipe", "RoleArn", "pipes.amazonaws.com"),
    ("AWS::SageMaker::Model", "ExecutionRoleArn", "sagemaker.amazonaws.com"),
    ("AWS::SageMaker::NotebookInstance", "RoleArn", "sagemaker.amazonaws.com"),
    ("AWS::Scheduler::Schedule", "Target.RoleArn", "scheduler.amazonaws.com"),
    ("AWS::StepFunctions::StateMachine", "RoleArn", "states.amazonaws.com"),
];

/// Properties that take a role's name.
const NAMED: [(&str, &str); 9] = [
    ("aws_iam_instance_profile", "role"),
    ("aws_iam_policy_attachment", "roles"),
    ("aws_iam_role_policy", "role"),
    ("aws_iam_role_policy_attachment", "role"),
    ("AWS::IAM::InstanceProfile", "Roles"),
    ("AWS::IAM::ManagedPolicy", "Roles"),
    ("AWS::IAM::Policy", "Roles"),
    ("AWS::IAM::RolePolicy", "RoleName"),
    ("aws_iam_role_policies_exclusive", "role_name"),
];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (_, property, service) in ASSUMED.iter().filter(|(name, ..)| *name == subject.name) {
        for (path, value) in subject.each(property) {
            let Some(role) = reference(value) else { continue };
            if subject.known.trusts(role, service) == Some(false) {
                let role = subject.known.path(role);
                findings
                    .add(path, format!("{service} can't assume the role `{role}`; its trust policy doesn't name it"));
            }
        }
    }
    for (_, property) in NAMED.iter().filter(|(name, _)| *name == subject.name) {
        for (path, value) in subject.each(property) {
            if reference(value).is_some_and(|role| role.attribute.kind == "arn") {
                findings.add(path, format!("{property} takes a role's name; the reference is an ARN"));
            }
        }
    }
}
