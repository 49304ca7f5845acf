//! Permissions: who outside may call a function.

use std::borrow::Cow;

use super::function::FunctionRef;
use crate::tree::{Construct, Handle, NodeRef, Properties, Pseudo, Resource, Stack, Text, Types};

/// Lets a service or an account call a function. Roles of this account need none: grant them
/// [`FunctionRef::invoke`].
///
/// ```
/// use constructs::{services::lambda::{Function, Permission}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let enrich = stack.add("Enrich", Function::rust("target/lambda/enrich.zip"));
/// let bucket = Permission::of(enrich).to_service("s3.amazonaws.com").from("arn:aws:s3:::newsloom-stories");
/// stack.add("Uploads", bucket);
/// stack.allow_invoke(enrich, "events.amazonaws.com", "arn:aws:events:eu-west-1:111122223333:rule/nightly");
/// ```
#[derive(Debug, Clone)]
pub struct Permission {
    function: FunctionRef,
    principal: Option<Text>,
    is_service: bool,
    source: Option<Text>,
    account: Option<Text>,
    organization: Option<Cow<'static, str>>,
}

impl Permission {
    /// A permission to call this function; say to whom with [`Permission::to_service`],
    /// [`Permission::to_account`] or [`Permission::to_organization`].
    pub fn of(function: FunctionRef) -> Self {
        Self { function, principal: None, is_service: false, source: None, account: None, organization: None }
    }

    /// To a service, such as `events.amazonaws.com`. Say on whose behalf with [`Permission::from`]: a service
    /// calls for anyone who asks it.
    pub fn to_service(mut self, principal: impl Into<Text>) -> Self {
        self.principal = Some(principal.into());
        self.is_service = true;
        self.organization = None;
        self
    }

    /// To the roles of another account, by its twelve digits, or one of its roles, by ARN.
    pub fn to_account(mut self, principal: impl Into<Text>) -> Self {
        self.principal = Some(principal.into());
        self.is_service = false;
        self.organization = None;
        self
    }

    /// To every account of an organization, `o-…`.
    pub fn to_organization(mut self, organization: impl Into<Cow<'static, str>>) -> Self {
        self.principal = Some("*".into());
        self.is_service = false;
        self.organization = Some(organization.into());
        self
    }

    /// Only for this rule, bucket, topic or other source. A bucket's ARN names no account, so this account
    /// is demanded as well: somebody else could have a bucket of that name later.
    pub fn from(mut self, source_arn: impl Into<Text>) -> Self {
        self.source = Some(source_arn.into());
        self
    }

    /// Only for sources of this account.
    pub fn from_account(mut self, account: impl Into<Text>) -> Self {
        self.account = Some(account.into());
        self
    }
}

impl Construct for Permission {
    type Handle = NodeRef;

    fn build(mut self, stack: &mut Stack) -> NodeRef {
        if self.principal.is_none() {
            stack.problem("the permission is for nobody; say to whom, such as with `to_service`");
        }
        if self.is_service && self.source.is_none() && self.account.is_none() {
            stack.problem("the service could call the function for anyone; say for which source with `from`");
        }
        if self.account.is_none() && self.source.as_ref().is_some_and(|source| self.names_no_account(source)) {
            self.account = Some(Pseudo::Account.into());
        }
        stack.resource(self)
    }
}

impl Permission {
    /// Of a reference only the service is known, and S3's ARNs are those without an account.
    fn names_no_account(&self, source: &Text) -> bool {
        let principal = self.principal.as_ref().and_then(Text::literal).unwrap_or_default();
        let account = source.literal().map(|arn| arn.splitn(6, ':').nth(4).unwrap_or_default().is_empty());
        account.unwrap_or_else(|| principal.starts_with("s3."))
    }
}

impl Stack {
    /// Lets a service call a function on behalf of one source, below the function; for a second source of the
    /// same service, add a [`Permission`] under an id.
    pub fn allow_invoke(
        &mut self,
        function: FunctionRef,
        service: &'static str,
        source_arn: impl Into<Text>,
    ) -> NodeRef {
        let permission = Permission::of(function).to_service(service).from(source_arn);
        let id = format!("CalledBy{}", id_of(service));
        let path = self.path_below(function);
        if self.find(&format!("{path}/{id}")).is_some() {
            self.problem(format!(
                "`{path}` is already called by {service}; for a second source add a `Permission` under an id"
            ));
        }
        self.add_below(&path, &id, permission)
    }

    /// The path of a function, or one for what is added to another stack's.
    pub(super) fn path_below(&self, function: FunctionRef) -> String {
        let node = function.node();
        match self.path_of(node) {
            Some(path) => path.to_owned(),
            None => format!("Stack{}Function{}", node.stack, node.index),
        }
    }
}

/// `events.amazonaws.com` → `Events`, `vpc-lattice.amazonaws.com` → `VpcLattice`.
fn id_of(service: &str) -> String {
    let name = service.split('.').next().unwrap_or_default();
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.split('-').map(capital).collect()
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Permission {
    fn types(&self) -> Types {
        Types::new("lambda", "aws_lambda_permission", "AWS::Lambda::Permission")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("FunctionName", self.function.name())
            .set("Action", "lambda:InvokeFunction")
            .set_some("Principal", self.principal.as_ref())
            .set_some("SourceArn", self.source.as_ref())
            .set_some("SourceAccount", self.account.as_ref())
            .set_some("PrincipalOrgID", self.organization.clone().map(Cow::into_owned))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("function_name", self.function.name())
            .set("action", "lambda:InvokeFunction")
            .set_some("principal", self.principal.as_ref())
            .set_some("source_arn", self.source.as_ref())
            .set_some("source_account", self.account.as_ref())
            .set_some("principal_org_id", self.organization.clone().map(Cow::into_owned))
    }
}
