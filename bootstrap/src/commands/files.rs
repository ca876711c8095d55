//! Commands about files alone: they ask AWS nothing.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;
use statemachine::config::{schema as json_schema, template};

use super::Cli;
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::read;
use crate::show;

/// `init`
#[derive(Debug, Args)]
pub struct Init {
    /// The app's name
    #[arg(long, default_value = "app")]
    pub app: String,
    /// The environment's name
    #[arg(long, default_value = "production")]
    pub environment: String,
    /// The domain; without one the stack answers on the load balancer's own name
    #[arg(long)]
    pub domain: Option<String>,
    /// Write workflows for GitHub beside a configuration that is there
    #[arg(long)]
    pub github: bool,
}

/// `completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

pub(crate) fn init(global: &Global, init: &Init) -> Result<Code> {
    let path = &global.file;
    if path.exists() {
        let error = CliError::usage(format!("{} is there already.", path.display()));
        return Err(error.help("Name another file with -c, or move this one away."));
    }
    let write = |path: &std::path::Path, text: String| {
        std::fs::write(path, text)
            .map_err(|error| CliError::failed(format!("{} cannot be written: {error}.", path.display())))
    };
    let text = template(&init.app, &init.environment, init.domain.as_deref());
    statemachine::config::parse(text.as_bytes(), &path.display().to_string())?;
    write(path, text)?;
    let schema = path.with_file_name("stepstack.schema.json");
    write(&schema, format!("{:#}\n", json_schema()))?;
    if global.json {
        show::json(&json!({ "wrote": [path, &schema] }));
    } else {
        let (file, schema) = (path.display(), schema.display());
        show::line(&format!("Wrote {file} and {schema} (which lets editors complete it)."));
        show::line("Next: look it over, then `stepstack plan`.");
    }
    Ok(Code::Done)
}

pub(crate) fn check(global: &Global) -> Result<Code> {
    let file = read(&global.file)?;
    if global.json {
        show::json(&file.stack);
    } else {
        show::line(&format!(
            "{} is well: {}/{}.",
            global.file.display(),
            file.stack.app,
            file.stack.environment
        ));
    }
    Ok(Code::Done)
}

pub(crate) fn schema() -> Code {
    show::json(&json_schema());
    Code::Done
}

pub(crate) fn completions(global: &Global, completions: &Completions) -> Code {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "stepstack", &mut script);
    let script = String::from_utf8_lossy(&script);
    if global.json {
        show::json(&json!({ "shell": completions.shell.to_string(), "script": script }));
    } else {
        show::line(script.trim_end());
    }
    Code::Done
}
