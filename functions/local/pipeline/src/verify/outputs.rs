//! The stack's outputs, from CloudFormation or from Terraform.

use crate::{Outputs, deployment::MissingOutputs};
use aws_sdk_cloudformation::{Client, error::ProvideErrorMetadata, types::Stack};
use runtime::with_causes;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// What stacks say about themselves.
pub type Said = BTreeMap<String, String>;

/// The outputs can't be had.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// CloudFormation has no such stack.
    #[error(
        "CloudFormation has no stack {stack} in {region}; --stack names another, --terraform DIR takes Terraform's outputs"
    )]
    NoStack {
        /// Its name.
        stack: String,
        /// Where it was looked for.
        region: String,
    },
    /// CloudFormation doesn't say.
    #[error("could not ask CloudFormation about the stack {stack}: {why}")]
    CloudFormation {
        /// Its name.
        stack: String,
        /// In its words, or those of the way to it.
        why: String,
    },
    /// There is no terraform.
    #[error("could not run {program}: {source}; --terraform needs Terraform installed and in PATH")]
    NoTerraform {
        /// What was tried.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// Terraform doesn't say.
    #[error("terraform output in {} failed: {why}", folder.display())]
    Terraform {
        /// Where.
        folder: PathBuf,
        /// In its words.
        why: String,
    },
    /// Terraform knows of nothing.
    #[error("Terraform's state in {} has no outputs: was it applied there?", .0.display())]
    Empty(PathBuf),
    /// What is said is not all that is needed.
    #[error(transparent)]
    Missing(#[from] MissingOutputs),
}

/// Asks CloudFormation about these stacks, which hold the outputs together.
///
/// # Errors
///
/// A stack is not there, or an output is missing.
pub async fn from_cloudformation(config: &aws_config::SdkConfig, stacks: &[String]) -> Result<Outputs, OutputsError> {
    let client = Client::new(config);
    let mut said = Said::new();
    for stack in stacks {
        let answer = client.describe_stacks().stack_name(stack).send().await;
        let answer = answer.map_err(|error| {
            let region = config.region().map(ToString::to_string).unwrap_or_default();
            match error.message() {
                Some(text) if text.contains("does not exist") => OutputsError::NoStack { stack: stack.clone(), region },
                _ => OutputsError::CloudFormation { stack: stack.clone(), why: with_causes(&error) },
            }
        })?;
        said.extend(of_stacks(&answer.stacks.unwrap_or_default()));
    }
    Ok(Outputs::read(|name| said.get(name).cloned())?)
}

/// What stacks put out, by the names of the template: `StreamName`.
pub fn of_stacks(stacks: &[Stack]) -> Said {
    let outputs = stacks.iter().flat_map(Stack::outputs);
    outputs.filter_map(|output| Some((output.output_key.clone()?, output.output_value.clone()?))).collect()
}

/// Asks Terraform in these folders, which hold the outputs together. `program` is `terraform`, unless it is elsewhere.
///
/// # Errors
///
/// There is no Terraform, no state, or an output is missing.
pub async fn from_terraform(program: &Path, folders: &[PathBuf]) -> Result<Outputs, OutputsError> {
    let mut said = Said::new();
    for folder in folders {
        let json = ask(program, folder).await?;
        let outputs = of_terraform(&json)
            .map_err(|error| OutputsError::Terraform { folder: folder.clone(), why: error.to_string() })?;
        if outputs.is_empty() {
            return Err(OutputsError::Empty(folder.clone()));
        }
        said.extend(outputs);
    }
    Ok(Outputs::read(|name| said.get(&snake(name)).cloned())?)
}

/// What `terraform output -json` says, as far as it is text, by the names of the configuration: `stream_name`.
///
/// # Errors
///
/// It isn't that.
pub fn of_terraform(json: &[u8]) -> serde_json::Result<Said> {
    #[derive(Deserialize)]
    struct Output {
        value: Value,
    }
    let outputs: BTreeMap<String, Output> = serde_json::from_slice(json)?;
    let text = |(name, output): (String, Output)| Some((name, output.value.as_str()?.to_owned()));
    Ok(outputs.into_iter().filter_map(text).collect())
}

async fn ask(program: &Path, folder: &Path) -> Result<Vec<u8>, OutputsError> {
    let failed = |why: String| OutputsError::Terraform { folder: folder.into(), why };
    if !folder.is_dir() {
        return Err(failed("there is no such folder".into()));
    }
    let mut command = Command::new(program);
    command.arg(format!("-chdir={}", folder.display())).args(["output", "-json", "-no-color"]);
    // It may ask for what a backend lacks, and wait for an answer for ever.
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let run = run.map_err(|source| OutputsError::NoTerraform { program: program.display().to_string(), source })?;
    if run.status.success() {
        return Ok(run.stdout);
    }
    let said = String::from_utf8_lossy(&run.stderr);
    // Its boxes are for wide terminals.
    let words = said.split(|letter: char| letter.is_whitespace() || "╷│╵".contains(letter));
    Err(failed(words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")))
}

/// As Terraform's configuration has it: `stream_name` for `StreamName`.
fn snake(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::types::Output;
    use std::os::unix::fs::PermissionsExt;

    const NAMES: [&str; 7] = [
        "StreamName",
        "ArticlesTable",
        "QuarantineUrl",
        "EnrichFailuresUrl",
        "PublishFailuresUrl",
        "BrokerUrl",
        "BrokerSecret",
    ];

    fn stack(names: &[&str]) -> Stack {
        let output = |name: &&str| Output::builder().output_key(*name).output_value(format!("{name}'s")).build();
        let time = aws_sdk_cloudformation::primitives::DateTime::from_secs(0);
        let stack = Stack::builder().stack_name("s").creation_time(time).stack_status("CREATE_COMPLETE".into());
        stack.set_outputs(Some(names.iter().map(output).collect())).build()
    }

    #[test]
    fn outputs_of_several_stacks_are_one() {
        let said = of_stacks(&[stack(&NAMES[..1]), stack(&NAMES[1..])]);
        let outputs = Outputs::read(|name| said.get(name).cloned()).unwrap();
        assert_eq!((&*outputs.stream, &*outputs.broker_secret), ("StreamName's", "BrokerSecret's"));
    }

    #[test]
    fn names_are_those_of_the_rendered_configuration() {
        let rendered = include_str!("../../../../../snapshots/pipeline_small.outputs.snap");
        for name in NAMES {
            assert!(rendered.contains(&format!("\"{}\": {{", snake(name))), "{name}");
        }
    }

    #[test]
    fn terraform_says_texts_and_other_things() {
        let said = of_terraform(
            br#"{"stream_name": {"sensitive": false, "type": "string", "value": "news"}, "zones": {"value": ["a"]}}"#,
        );
        assert_eq!(said.unwrap(), [("stream_name".to_owned(), "news".to_owned())].into());
        assert!(of_terraform(b"Warning").is_err());
    }

    /// What becomes of it when terraform prints this, and ends so.
    async fn said(stdout: &str, stderr: &str, code: u8) -> Result<Outputs, String> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("terraform");
        let script = format!("#!/bin/sh\ncat <<'EOF'\n{stdout}\nEOF\ncat >&2 <<'EOF'\n{stderr}\nEOF\nexit {code}\n");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let outputs = from_terraform(&program, &[folder.path().into()]).await;
        outputs.map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"))
    }

    #[tokio::test]
    async fn terraform_is_asked_and_its_troubles_are_told() {
        let all: BTreeMap<_, _> = NAMES.map(|name| (snake(name), serde_json::json!({ "value": name }))).into();
        let all = serde_json::to_string(&all).unwrap();
        assert_eq!(said(&all, "", 0).await.unwrap().quarantine_url, "QuarantineUrl");
        assert_eq!(
            said("{}", "Warning", 0).await.unwrap_err(),
            "Terraform's state in DIR has no outputs: was it applied there?"
        );
        assert_eq!(
            said("", "╷\n│ Error: Backend initialization\n│ required\n╵", 1).await.unwrap_err(),
            "terraform output in DIR failed: Error: Backend initialization required"
        );
        let missing = said(r#"{"stream_name": {"value": "news"}}"#, "", 0).await.unwrap_err();
        assert!(missing.starts_with("the stack has no output ArticlesTable, QuarantineUrl"), "{missing}");
        let none =
            from_terraform(Path::new("/nowhere/terraform"), &[std::env::temp_dir()]).await.unwrap_err().to_string();
        assert!(none.starts_with("could not run /nowhere/terraform: "), "{none}");
    }
}
