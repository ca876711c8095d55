//! Commands about files alone: they ask AWS nothing.

use clap::CommandFactory as _;
use statemachine::config::{schema as json_schema, template};

use crate::cli::{Cli, Completions, Global, Init};
use crate::error::{CliError, Code, Result};
use crate::session::read;
use crate::show;

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
    show::line(&format!(
        "Wrote {} and {} (which lets editors complete it).",
        path.display(),
        schema.display()
    ));
    show::line("Next: look it over, then `stepstack plan`.");
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

pub(crate) fn completions(completions: &Completions) -> Code {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "stepstack", &mut script);
    show::line(String::from_utf8_lossy(&script).trim_end());
    Code::Done
}
