//! `state`: what is there, resource by resource.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use statemachine::message::Operation;
use statemachine::resource::Options;

use super::look::look;
use crate::cli::Global;
use crate::error::{CliError, Code, Result};
use crate::session::Session;
use crate::show::{self, word};

/// `state`
#[derive(Debug, Args)]
pub struct State {
    /// What to do
    #[command(subcommand)]
    pub command: StateCommand,
}

/// What can be asked of the state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Every resource with its id
    List,
    /// Everything owned, as one JSON document
    Pull,
    /// One resource
    Show {
        /// Its name, as `state list` prints it
        name: String,
    },
}

pub(crate) async fn state(global: &Global, state: &State) -> Result<Code> {
    let session = Session::open(global).await?;
    let (_, record, result) = look(&session, Operation::Plan, Options::default()).await?;
    let record = record.ok_or_else(|| CliError::failed(result.message))?;
    let mut rows = Vec::new();
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for stage in &record.plan.stages {
        for item in &stage.items {
            let Some(id) = stage.names.id(&item.name) else { continue };
            let prefix = format!("{}#", item.name);
            let attributes: BTreeMap<&str, &str> = stage
                .names
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().strip_prefix(&prefix)?, value)))
                .collect();
            rows.push(vec![stage.stage.to_string(), item.name.to_string(), id.to_owned()]);
            let value = json!({
                "stage": stage.stage, "name": item.name, "id": id, "attributes": attributes,
                "state": word(item.action), "differs": item.changes,
            });
            all.insert(item.name.to_string(), value);
        }
    }
    match &state.command {
        StateCommand::Pull => show::json(&all.values().collect::<Vec<_>>()),
        StateCommand::List if session.json => show::json(&all.values().collect::<Vec<_>>()),
        StateCommand::List => show::lines(&show::table(&rows)),
        StateCommand::Show { name } => {
            if let Some(value) = all.get(name) {
                show::json(value);
            } else {
                let near: Vec<&str> = all
                    .keys()
                    .filter(|known| {
                        known.contains(name.as_str())
                            || name.contains(known.split('@').next().unwrap_or(known))
                    })
                    .take(3)
                    .map(String::as_str)
                    .collect();
                let error = CliError::refused(format!("There is no resource {name:?}."));
                return Err(if near.is_empty() {
                    error.help("`stepstack state list` lists them.")
                } else {
                    error.help(format!("Did you mean {}?", near.join(" or ")))
                });
            }
        }
    }
    Ok(Code::Done)
}
