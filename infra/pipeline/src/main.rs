//! The newsloom command.

mod cli;
mod report;

use clap::Parser;
use cli::{Cli, Command, Format, StageName};
use package::Program;
use pipeline::{AssetName, Assets, Options, Problem, Problems, Settings, Stage, Synthesized};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// Synth makes many small values on two threads and drops them soon: with the system's allocator it takes a quarter
/// longer (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let json = match &command {
        Command::Synth(synth) => synth.json,
        Command::Package(package) => package.json,
        Command::Check(check) => check.json,
        _ => false,
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            if json {
                report::problems_json(&problems);
            } else {
                report::problems(&problems);
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Problems> {
    match command {
        Command::Synth(synth) => write_synth(&synth),
        Command::Package(package) => write_packages(package),
        Command::Check(check) => check_config(&check),
        Command::Permissions(config) => {
            let permissions = pipeline::permissions(&load(&config.config)?);
            print(&permissions);
            Ok(())
        }
        Command::Schema { out } => schema(out.as_deref()),
        Command::Version => {
            print(concat!("newsloom ", env!("CARGO_PKG_VERSION"), "\n"));
            Ok(())
        }
    }
}

fn write_synth(synth: &cli::Synth) -> Result<(), Problems> {
    let start = Instant::now();
    let (rendered, assets) = synthesize(synth)?;
    let written = pipeline::write(&rendered, &synth.out)?;
    let done = report::Done { out: &synth.out, written: &written, resources: rendered.resources, assets: &assets };
    if synth.json {
        report::written_json(&done, start.elapsed());
    } else {
        report::written(&done, start.elapsed());
    }
    Ok(())
}

/// The pipeline, and the packages that it deploys.
fn synthesize(synth: &cli::Synth) -> Result<(Synthesized, Assets), Problems> {
    let settings = load(&synth.config.config)?;
    let without = synth.without_assets.iter().map(|name| asset_of(*name)).collect();
    let located = Assets::locate(&synth.assets, &without);
    // What isn't built is no reason to keep quiet about what else is wrong.
    let (assets, unfit) = located.map_or_else(
        |missing| (Assets::placeholders(), missing),
        |assets| (assets.clone(), assets.built_for_others(settings.architecture)),
    );
    // With several stacks Terraform runs one folder deeper, whatever the stack is called.
    let folder =
        if settings.stages == settings::Layout::Separate { synth.out.join("stack") } else { synth.out.clone() };
    let options = Options {
        stages: synth.stage.iter().map(|stage| stage_of(*stage)).collect(),
        format: format_of(synth.format),
        assets: assets.clone().seen_from(&folder),
    };
    match pipeline::synth(&settings, &options) {
        Ok(rendered) if unfit.is_empty() => Ok((rendered, assets)),
        Ok(_) => Err(unfit),
        Err(problems) => Err(unfit.and(problems)),
    }
}

fn write_packages(arguments: cli::Package) -> Result<(), Problems> {
    let start = Instant::now();
    let named: Vec<Program> = arguments.programs.into_iter().map(program_of).collect();
    let request = package::Request {
        programs: Program::ALL.into_iter().filter(|each| named.is_empty() || named.contains(each)).collect(),
        architecture: load(&arguments.config.config)?.architecture,
        from: arguments.from,
        out: arguments.out,
    };
    let packages = package::package(&request)?;
    if arguments.json {
        report::packages_json(&packages, start.elapsed());
    } else {
        report::packages(&packages);
    }
    Ok(())
}

fn check_config(check: &cli::Check) -> Result<(), Problems> {
    let start = Instant::now();
    let config = &check.config.config;
    let options = Options { stages: BTreeSet::new(), format: pipeline::Format::All, assets: Assets::placeholders() };
    let rendered = pipeline::synth(&load(config)?, &options)?;
    if check.json {
        report::fine_json(rendered.resources);
    } else {
        report::fine(config, rendered.resources, start.elapsed());
    }
    Ok(())
}

fn schema(out: Option<&Path>) -> Result<(), Problems> {
    let schema = settings::schema_json();
    let Some(out) = out else {
        print(&schema);
        return Ok(());
    };
    let written = std::fs::write(out, schema);
    written.map_err(|error| Problems::of(out.display().to_string(), format!("can't be written: {error}")))
}

fn load(config: &Path) -> Result<Settings, Problems> {
    let name = config.display().to_string();
    let text = std::fs::read_to_string(config).map_err(|error| unread(&name, &error))?;
    Settings::from_toml(&name, &text)
}

fn unread(name: &str, error: &std::io::Error) -> Problems {
    let help = "--config names another file; newsloom.toml and examples/ of the repository show one";
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    Problems::new(vec![Problem {
        place: None,
        subject: name.into(),
        message: if missing { "there is no such file".into() } else { error.to_string() },
        help: missing.then(|| help.into()),
    }])
}

fn format_of(format: Format) -> pipeline::Format {
    match format {
        Format::Terraform => pipeline::Format::Terraform,
        Format::Cloudformation => pipeline::Format::CloudFormation,
        Format::All => pipeline::Format::All,
    }
}

fn program_of(name: cli::AssetName) -> Program {
    match name {
        cli::AssetName::Enrich => Program::Enrich,
        cli::AssetName::Publish => Program::Publish,
        cli::AssetName::Ingester => Program::Ingester,
    }
}

fn asset_of(name: cli::AssetName) -> AssetName {
    match name {
        cli::AssetName::Enrich => AssetName::Enrich,
        cli::AssetName::Publish => AssetName::Publish,
        cli::AssetName::Ingester => AssetName::Ingester,
    }
}

fn stage_of(name: StageName) -> Stage {
    match name {
        StageName::Ingestion => Stage::Ingestion,
        StageName::Enrichment => Stage::Enrichment,
        StageName::Redistribution => Stage::Redistribution,
        StageName::Monitoring => Stage::Monitoring,
    }
}

// A reader that went away, as `head` does, is no reason to complain.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
