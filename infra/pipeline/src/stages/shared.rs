//! What several stages use: the bucket for code, and the network.

use constructs::{
    services::{
        kms::KeyRef,
        lambda::Code,
        s3::{Bucket, BucketRef, Object, ObjectRef},
        units::Days,
        vpc::{FlowLogs, GatewayEndpoint, InterfaceEndpoints, InterfaceEndpointsRef, InterfaceService, NetworkRef},
    },
    tree::{Construct, Stack},
};
use settings::{ExistingNetwork, Network, NewNetwork, Settings, Zones};

use super::own_key;
use crate::Asset;

/// The bucket for code, and the network where a stage needs one.
pub(crate) struct Shared<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) with_network: bool,
}

/// What stages take from [`Shared`].
#[derive(Clone, Copy)]
pub(crate) struct SharedRef {
    pub(crate) code: BucketRef,
    pub(crate) network: Option<NetworkRef>,
    /// The way to Secrets Manager from private subnets; without it there is a NAT, or a way of the customer's.
    pub(crate) secrets: Option<InterfaceEndpointsRef>,
}

impl SharedRef {
    /// Puts a file into the bucket for code. Terraform does it; before a deployment by CloudFormation it is
    /// copied there by hand, under the same key.
    pub(super) fn upload(self, stack: &mut Stack, id: &str, asset: &Asset) -> ObjectRef {
        let path = asset.path.display().to_string();
        stack.add(id, Object::file(self.code, asset.key.clone(), path).hash(asset.sha256_base64.clone()))
    }

    /// The same, as a function's code.
    pub(super) fn uploaded(self, stack: &mut Stack, id: &str, asset: &Asset) -> Uploaded {
        let object = self.upload(stack, id, asset);
        let code = Code::object(self.code.name(), asset.key.clone()).sha256(asset.sha256_base64.clone());
        Uploaded { code, object }
    }
}

/// A function's code, and the object that has to be there before the function: the code names it by its key,
/// which CloudFormation needs, and so doesn't refer to it.
pub(super) struct Uploaded {
    pub(super) code: Code,
    pub(super) object: ObjectRef,
}

impl Construct for Shared<'_> {
    type Handle = SharedRef;

    fn build(self, stack: &mut Stack) -> SharedRef {
        let bucket = &self.settings.code.bucket;
        let has_logs = self.with_network && matches!(self.settings.network, Network::New(_));
        let key = (bucket.is_none() || has_logs)
            .then(|| own_key(stack, self.settings, "Encrypts the code of functions and ingester, and flow logs"))
            .flatten();
        let code = match bucket {
            Some(name) => stack.add("Code", Bucket::existing(name)),
            None => stack.add("Code", new_bucket(key)),
        };
        if !self.with_network {
            return SharedRef { code, network: None, secrets: None };
        }
        let (network, secrets) = match &self.settings.network {
            Network::New(new) => self.new_network(stack, new, key),
            Network::Existing(existing) => existing_network(stack, existing),
        };
        SharedRef { code, network: Some(network), secrets }
    }
}

impl Shared<'_> {
    fn new_network(
        &self,
        stack: &mut Stack,
        new: &NewNetwork,
        key: Option<KeyRef>,
    ) -> (NetworkRef, Option<InterfaceEndpointsRef>) {
        let kept = Days(self.settings.monitoring.log_retention_days.into());
        let logs = FlowLogs::rejected().kept_for(kept).encrypted_by(key);
        let mut network =
            constructs::services::vpc::Network::new(new.cidr.clone()).with_public_subnets().flow_logs(logs);
        network = match &new.zones {
            Zones::Count(count) => network.zones(*count),
            Zones::Names(names) => network.zones_named(names),
        };
        if !new.private_cidrs.is_empty() {
            network = network.private_blocks(new.private_cidrs.clone());
        }
        if !new.public_cidrs.is_empty() {
            network = network.public_blocks(new.public_cidrs.clone());
        }
        if new.nat {
            network = network.with_nat();
        }
        let network = stack.add("Network", network);
        stack.add("S3Endpoint", GatewayEndpoint::s3(network));
        // With a NAT there is a way to Secrets Manager already.
        let secrets = (!new.nat).then(|| stack.add("Endpoints", secrets_endpoint(network)));
        (network, secrets)
    }
}

fn new_bucket(key: Option<KeyRef>) -> Bucket {
    Bucket::new().expire_noncurrent_after(Days(90)).encrypted_by(key)
}

fn existing_network(stack: &mut Stack, existing: &ExistingNetwork) -> (NetworkRef, Option<InterfaceEndpointsRef>) {
    let network = constructs::services::vpc::Network::existing(&existing.vpc_id)
        .private_subnets(&existing.private_subnet_ids)
        .public_subnets(&existing.public_subnet_ids);
    let network = stack.add("Network", network);
    let secrets = existing.create_endpoints.then(|| stack.add("Endpoints", secrets_endpoint(network)));
    (network, secrets)
}

fn secrets_endpoint(network: NetworkRef) -> InterfaceEndpoints {
    InterfaceEndpoints::to([InterfaceService::SECRETS_MANAGER], network)
}
