//! Identity and Access Management: roles, what they may do, and who may assume them.

mod grant;
mod linked;
mod policy;
mod profile;
mod role;

pub use grant::Grantee;
pub use linked::{ServiceLinkedRole, ServiceLinkedRoleRef};
pub use policy::{Policy, PolicyRef};
pub use profile::{InstanceProfile, InstanceProfileRef};
pub use role::{ExistingRole, Role, RoleRef, Service};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::kinesis::Stream,
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("iam_role_for_sagemaker", Role::of(Service::SAGEMAKER).description("Runs the model"));
        check_stack("iam_role_with_grants", |stack| {
            let news = stack.add("News", Stream::on_demand());
            let role = stack.add("Ingester", Role::of(Service::EC2));
            stack.add("Profile", InstanceProfile::of(role));
            stack.grant(role, news.write());
        });
        check_stack("iam_policy_attached", |stack| {
            let news = stack.add("News", Stream::on_demand());
            let role = stack.add("Ingester", Role::existing("feed-handlers"));
            stack.add("Writers", Policy::of(news.write()).attached_to(role));
        });
    }

    #[test]
    fn a_role_that_ec2_cannot_assume_is_refused() {
        let found = problems(|stack| {
            let role = stack.add("Enrich", Role::of(Service::LAMBDA));
            stack.add("Profile", InstanceProfile::of(role));
        });
        assert!(found.contains("Profile: ec2.amazonaws.com can't assume the role `Enrich`"), "{found}");
    }
}
