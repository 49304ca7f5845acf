//! The stack's functions, as the programs of this workspace with the environment that the stack gives them.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use local::{
    function::Function,
    lambda::{self, Lambda},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Scorer, start::StartError};
use crate::{
    programs::Programs,
    stack::{Made, Physical, Stack},
    triggers::Named,
};

/// What is read of an `AWS::Lambda::Function`; rights, networks and layers have no counterpart here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    function_name: String,
    code: Code,
    memory_size: u32,
    timeout: u64,
    reserved_concurrent_executions: Option<usize>,
    environment: Option<Environment>,
    logging_config: Option<Logging>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    s3_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Logging {
    log_format: Option<String>,
    application_log_level: Option<String>,
}

/// What every function finds beside what the stack says.
pub(super) struct Surroundings<'a> {
    pub(super) programs: &'a Programs,
    /// Where AWS is.
    pub(super) aws: Vec<(String, String)>,
    /// Where models are, for functions that ask some; none where that is with the rest of AWS.
    pub(super) models: Vec<(&'static str, String)>,
    /// The authority of a broker of this machine.
    pub(super) broker_ca: Option<&'a Path>,
    pub(super) scorer: &'a Scorer,
    pub(super) folder: &'a Path,
}

/// Every function of the stack, by its ARN, which is then among what was made.
pub(super) fn functions(
    stack: &Stack,
    made: &mut Made,
    around: &Surroundings<'_>,
) -> Result<BTreeMap<String, Named>, StartError> {
    let mut functions = BTreeMap::new();
    for (id, properties) in stack.of_type("AWS::Lambda::Function") {
        let properties = read(id, properties, made)?;
        let (program, _) = properties.code.s3_key.split_once('/').unwrap_or((&properties.code.s3_key, ""));
        let function = lambda(program, &properties, around).map_err(|source| StartError::Function(source.into()))?;
        let arn = format!("arn:aws:lambda:{}:{}:function:{}", local::REGION, local::ACCOUNT, properties.function_name);
        made.add(id, Physical::named(&properties.function_name).with("Arn", arn.as_str()));
        functions.insert(arn, Named { program: program.to_owned(), lambda: Arc::new(function) });
    }
    Ok(functions)
}

fn read(id: &str, properties: &Value, made: &Made) -> Result<Properties, StartError> {
    // Its environment must be whole: a function that lacks a variable is another function.
    let mut known = made.resolve_known(properties);
    known["Code"] = properties["Code"].clone();
    if let Some(environment) = properties.get("Environment") {
        known["Environment"] = made.resolve(environment).map_err(|error| StartError::stack(id, &error))?;
    }
    serde_json::from_value(known).map_err(|error| StartError::stack(id, &error))
}

fn lambda(program: &str, properties: &Properties, around: &Surroundings<'_>) -> Result<Lambda, lambda::Error> {
    let builder = Function::builder(around.programs.path(program))
        .name(&properties.function_name)
        .memory(properties.memory_size)
        .timeout(Duration::from_secs(properties.timeout))
        .envs(around.aws.clone())
        .envs(environment(properties, around));
    let log = Some(around.folder.join(format!("{program}.log")));
    let concurrency = properties.reserved_concurrent_executions;
    Lambda::new(builder, lambda::Options { concurrency, log, ..lambda::Options::default() })
}

/// What the stack says, with what differs on this machine.
fn environment(properties: &Properties, around: &Surroundings<'_>) -> BTreeMap<String, String> {
    let told = properties.environment.as_ref().map(|environment| environment.variables.clone());
    let mut variables = told.unwrap_or_default();
    if let Some(logging) = &properties.logging_config {
        let said =
            [("AWS_LAMBDA_LOG_FORMAT", &logging.log_format), ("AWS_LAMBDA_LOG_LEVEL", &logging.application_log_level)];
        let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        variables.extend(said);
    }
    if let Some(ca) = around.broker_ca.filter(|_| variables.contains_key("BROKER_URL")) {
        variables.insert("BROKER_CA_FILE".to_owned(), ca.display().to_string());
    }
    if let (Scorer::SageMaker { endpoint }, true) = (around.scorer, variables.contains_key("ROUTES")) {
        variables.extend(around.models.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let names = variables.keys().filter(|name| name.starts_with("ROUTE_") && name.ends_with("_ENDPOINT"));
        for name in names.cloned().collect::<Vec<_>>() {
            variables.insert(name, endpoint.clone());
        }
    }
    variables
}
