"""Facts that one source lacks and the other has of the same thing, and a few that both lack.

Only what holds for both backends alike is carried over: the ranges of numbers, the lengths and patterns of texts,
the counts of lists. Enumerations only where VALUES names them, because Terraform often takes more than the API.
Never carried: patterns of ARNs and key ids, which Terraform checks in its own way.
"""

from model import descend

# {(Terraform type, CloudFormation type): {attribute: property}}. A dotted path goes into blocks, `[]` to the items.
LIMITS = {
    ("aws_autoscaling_group", "AWS::AutoScaling::AutoScalingGroup"): {
        "health_check_type": "HealthCheckType",
        "instance_maintenance_policy.max_healthy_percentage": "InstanceMaintenancePolicy.MaxHealthyPercentage",
        "tag.key": "Tags.Key",
        "tag.value": "Tags.Value",
    },
    ("aws_cloudwatch_metric_alarm", "AWS::CloudWatch::Alarm"): {
        "evaluation_interval": "EvaluationInterval",
        "period": "Period",
    },
    ("aws_dynamodb_table", "AWS::DynamoDB::Table"): {
        "on_demand_throughput.max_read_request_units": "OnDemandThroughput.MaxReadRequestUnits",
        "on_demand_throughput.max_write_request_units": "OnDemandThroughput.MaxWriteRequestUnits",
        "warm_throughput.read_units_per_second": "WarmThroughput.ReadUnitsPerSecond",
        "warm_throughput.write_units_per_second": "WarmThroughput.WriteUnitsPerSecond",
    },
    ("aws_imagebuilder_component", "AWS::ImageBuilder::Component"): {"name": "Name"},
    ("aws_imagebuilder_image_pipeline", "AWS::ImageBuilder::ImagePipeline"): {
        "logging_configuration.image_log_group_name": "LoggingConfiguration.ImageLogGroupName",
        "logging_configuration.pipeline_log_group_name": "LoggingConfiguration.PipelineLogGroupName",
    },
    ("aws_imagebuilder_image_recipe", "AWS::ImageBuilder::ImageRecipe"): {"name": "Name"},
    ("aws_imagebuilder_infrastructure_configuration", "AWS::ImageBuilder::InfrastructureConfiguration"): {"name": "Name"},
    ("aws_kinesis_stream", "AWS::Kinesis::Stream"): {
        "max_record_size_in_kib": "MaxRecordSizeInKiB",
        "shard_count": "ShardCount",
    },
    ("aws_kms_key", "AWS::KMS::Key"): {"rotation_period_in_days": "RotationPeriodInDays"},
    ("aws_lambda_event_source_mapping", "AWS::Lambda::EventSourceMapping"): {
        "batch_size": "BatchSize",
        "function_response_types": "FunctionResponseTypes",
        "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
        "maximum_record_age_in_seconds": "MaximumRecordAgeInSeconds",
        "provisioned_poller_config.maximum_pollers": "ProvisionedPollerConfig.MaximumPollers",
        "provisioned_poller_config.minimum_pollers": "ProvisionedPollerConfig.MinimumPollers",
    },
    ("aws_lambda_function", "AWS::Lambda::Function"): {
        "description": "Description",
        "file_system_config.local_mount_path": "FileSystemConfigs.LocalMountPath",
        "handler": "Handler",
        "image_config.command": "ImageConfig.Command",
        "image_config.entry_point": "ImageConfig.EntryPoint",
        "image_config.working_directory": "ImageConfig.WorkingDirectory",
        "logging_config.log_group": "LoggingConfig.LogGroup",
        "vpc_config.security_group_ids": "VpcConfig.SecurityGroupIds",
        "vpc_config.security_group_ids[]": "VpcConfig.SecurityGroupIds[]",
        "vpc_config.subnet_ids": "VpcConfig.SubnetIds",
        "vpc_config.subnet_ids[]": "VpcConfig.SubnetIds[]",
    },
    ("aws_mq_broker", "AWS::AmazonMQ::Broker"): {
        "maintenance_window_start_time.time_of_day": "MaintenanceWindowStartTime.TimeOfDay",
        "user.password": "Users.Password",
        "user.username": "Users.Username",
    },
    ("aws_sagemaker_endpoint", "AWS::SageMaker::Endpoint"): {"endpoint_config_name": "EndpointConfigName"},
    ("aws_sagemaker_endpoint_configuration", "AWS::SageMaker::EndpointConfig"): {
        "production_variants.managed_instance_scaling.max_instance_count": "ProductionVariants.ManagedInstanceScaling.MaxInstanceCount",
        "production_variants.model_name": "ProductionVariants.ModelName",
        "production_variants.variant_name": "ProductionVariants.VariantName",
    },
    ("aws_sagemaker_model", "AWS::SageMaker::Model"): {
        "container": "Containers",
        "container.container_hostname": "Containers.ContainerHostname",
        "container.image": "Containers.Image",
        "container.model_data_url": "Containers.ModelDataUrl",
        "primary_container.container_hostname": "PrimaryContainer.ContainerHostname",
        "primary_container.image": "PrimaryContainer.Image",
        "primary_container.model_data_url": "PrimaryContainer.ModelDataUrl",
        "vpc_config.security_group_ids[]": "VpcConfig.SecurityGroupIds[]",
        "vpc_config.subnets[]": "VpcConfig.Subnets[]",
    },
    ("aws_secretsmanager_secret", "AWS::SecretsManager::Secret"): {
        "description": "Description",
        "name": "Name",
    },
}

# Attributes above or beside whose values are the same list on both sides.
VALUES = {
    ("aws_imagebuilder_image_pipeline", "AWS::ImageBuilder::ImagePipeline"): {"workflow.on_failure": "Workflows.OnFailure"},
    ("aws_imagebuilder_infrastructure_configuration", "AWS::ImageBuilder::InfrastructureConfiguration"): {
        "placement.tenancy": "Placement.Tenancy",
    },
    ("aws_lambda_event_source_mapping", "AWS::Lambda::EventSourceMapping"): {"metrics_config.metrics[]": "MetricsConfig.Metrics[]"},
    ("aws_lambda_function", "AWS::Lambda::Function"): {"tenancy_config.tenant_isolation_mode": "TenancyConfig.TenantIsolationMode"},
    ("aws_sagemaker_endpoint_configuration", "AWS::SageMaker::EndpointConfig"): {
        "production_variants.managed_instance_scaling.status": "ProductionVariants.ManagedInstanceScaling.Status",
    },
    ("aws_sagemaker_model", "AWS::SageMaker::Model"): {
        "container.multi_model_config.model_cache_setting": "Containers.MultiModelConfig.ModelCacheSetting",
        "primary_container.multi_model_config.model_cache_setting": "PrimaryContainer.MultiModelConfig.ModelCacheSetting",
    },
}

# What AWS documents and the CloudFormation schema says otherwise, or not at all.
CORRECTIONS = [
    # IncreaseStreamRetentionPeriod: 24 hours are the least; the schema says 1.
    ("AWS::Kinesis::Stream", "RetentionPeriodHours", {"min": 24}),
]

CARRIED = {"number": ("min", "max"), "text": ("min", "max", "patterns"), "list": ("min", "max")}


def carry_over(resources, types):
    """Completes Terraform's side in place, and corrects CloudFormation's."""
    for name, path, facts in CORRECTIONS:
        edit(types, name, path, lambda own: own | facts)
    for table, keys in ((LIMITS, CARRIED), (VALUES, {"text": ("enum",)})):
        for (terraform, cloudformation), pairs in table.items():
            for attribute, path in pairs.items():
                found = facts_at(types, cloudformation, path, keys)
                edit(resources, "r/" + terraform, attribute, lambda own: found | own)


def facts_at(schemas, name, path, keys):
    shape = get(schemas, name, path)
    facts = {key: shape[-1][key] for key in keys.get(shape[0], ()) if shape[-1].get(key)}
    return facts or mistaken(name, path, "nothing to carry over")


def edit(schemas, name, path, change):
    """Replaces the facts of the shape at a path."""
    shape = get(schemas, name, path)
    changed = (*shape[:-1], change(shape[-1]))
    prop = property_at(schemas, name, path)
    if path.endswith("[]"):
        prop["shape"] = (prop["shape"][0], changed, *prop["shape"][2:])
    else:
        prop["shape"] = changed


def get(schemas, name, path):
    shape = property_at(schemas, name, path)["shape"]
    return shape[1] if path.endswith("[]") else shape


def property_at(schemas, name, path):
    *parents, last = path.removesuffix("[]").split(".")
    holder = descend(schemas[name]["root"], parents) if name in schemas else None
    if holder is None or last not in holder["properties"]:
        mistaken(name, path, "no such property")
    return holder["properties"][last]


def mistaken(name, path, why):
    """A table that points nowhere is a mistake in it, or in what was renewed."""
    raise SystemExit(f"same_as.py: {name} {path}: {why}")
