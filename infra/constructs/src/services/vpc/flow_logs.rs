//! Flow logs: who talked to whom, or tried to.

use super::{name_map, name_pairs};
use crate::{
    policy::Statement,
    services::{
        iam::{Role, RoleRef, Service},
        kms::KeyRef,
        logs::{LogGroup, LogGroupRef},
        units::Days,
    },
    tree::{Construct, Id, Properties, Ref, Resource, Stack, Types},
};

/// Which connections of a network are logged, and for how long the log is kept: in CloudWatch Logs, under a
/// role that may write to this log only.
///
/// ```
/// use constructs::services::{units::Days, vpc::{FlowLogs, Network}};
/// let network = Network::new("10.0.0.0/16").flow_logs(FlowLogs::rejected().kept_for(Days(90)));
/// ```
#[derive(Debug, Clone)]
pub struct FlowLogs {
    traffic: &'static str,
    kept: Days,
    key: Option<KeyRef>,
}

impl FlowLogs {
    /// Every connection.
    pub fn all() -> Self {
        Self { traffic: "ALL", kept: Days(30), key: None }
    }

    /// What a security group or network ACL refused; costs much less than [`FlowLogs::all`].
    pub fn rejected() -> Self {
        Self { traffic: "REJECT", ..Self::all() }
    }

    /// How long the log is kept. Defaults to 30 days; CloudWatch takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150,
    /// 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653.
    pub fn kept_for(mut self, kept: Days) -> Self {
        self.kept = kept;
        self
    }

    /// Encrypted with this key, see [`LogGroup::encrypted_by`].
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

/// The flow log of one network.
pub(super) struct FlowLog {
    pub(super) vpc: Ref<Id>,
    pub(super) logs: FlowLogs,
}

impl Construct for FlowLog {
    type Handle = ();

    fn build(self, stack: &mut Stack) {
        let Self { vpc, logs } = self;
        let name = stack.physical_name();
        let group = LogGroup::new().retention(logs.kept).named(name.clone());
        let group = match logs.key {
            Some(key) => group.encrypted_by(key),
            None => group,
        };
        let group = stack.add("Group", group);
        let role = stack.add("Role", Role::of(Service::FLOW_LOGS));
        let look = Statement::allow(["logs:DescribeLogStreams"]).on(group.streams());
        stack.grant(role, group.write().and(look.into()));
        let log = stack.resource(Log { vpc, group, role, traffic: logs.traffic, name });
        if let Some(policy) = stack.policy_of(role) {
            stack.depends(log, policy);
        }
    }
}

// ---------------------------------------------------------------------------------------------------

struct Log {
    vpc: Ref<Id>,
    group: LogGroupRef,
    role: RoleRef,
    traffic: &'static str,
    name: String,
}

impl Resource for Log {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_flow_log", "AWS::EC2::FlowLog")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("ResourceType", "VPC")
            .set("ResourceId", self.vpc)
            .set("TrafficType", self.traffic)
            .set("LogDestinationType", "cloud-watch-logs")
            .set("LogGroupName", self.group.name())
            .set("DeliverLogsPermissionArn", self.role.arn())
            .set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("vpc_id", self.vpc)
            .set("traffic_type", self.traffic)
            .set("log_destination_type", "cloud-watch-logs")
            .set("log_destination", self.group.arn())
            .set("iam_role_arn", self.role.arn())
            .set("tags", name_map(&self.name))
    }
}
