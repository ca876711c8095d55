//! The stages' plans become one, and the run decides: nothing to do, blocked, or go.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use statemachine::config::monthly_price;
use statemachine::message::{
    Document, Next, Note, Operation, Outcome, PlanRecord, RunResult, StageReport, Stages, Status, Sweep,
    Verdict, Waiting, Wanted,
};
use statemachine::plan::{Action, Item, Plan, StagePlan};
use statemachine::resource::hex;
use statemachine::{Result, Stage};

use crate::Control;
use crate::finish::outputs;
use crate::intent::{buckets, hosts, joined as joined_names};
use crate::lost::{makes_a_database, refuse_an_empty_database};
use crate::put_back::counts_when_done;
use crate::why::explain;

/// How often a destroy looks again for what came back (a log group after a late write) before it says so.
const LOOKS: u32 = 4;

impl Control {
    /// The second step, after every stage has looked.
    pub(crate) async fn join(&self, mut document: Document) -> Result<Document> {
        document.looks += 1;
        let go = |mut document: Document, next, message: &str| {
            document.verdict = Verdict { next, retry_after_s: 0, message: message.to_owned() };
            Ok(document)
        };
        if document.stages.iter().any(|(_, slot)| slot.status != Status::Looked) {
            return go(document, Next::Diagnose, "A look failed.");
        }
        let run = document.run.clone();
        let again = document.looks > 1;
        let looks = self.looks(&document).await?;
        let mut plan = joined(&looks, run.operation);
        let differs = plan.items().any(|(_, item)| !item.changes.is_empty());
        if !run.operation.removes_all() && (differs || makes_a_database(&plan)) {
            let asked = self.bucket.record(&run.environment).asked().get().await?.unwrap_or_default();
            let same = document.intent.config == document.config;
            explain(&mut plan, &asked, same, &document);
            refuse_an_empty_database(&mut plan, &asked, &document);
        }
        let counts = plan.counts();
        let record = PlanRecord { id: plan.id(), notes: notes(&document), plan };
        if !again {
            document.plan = Some(record.id.clone());
        }
        let busy = record.plan.items().any(|(_, item)| item.action == Action::Wait);
        let changes = counts.create + counts.update + counts.delete > 0 || busy;
        let says_nothing = !run.operation.only_looks() && !changes && counts.refuse == 0;
        if !again && !says_nothing {
            self.bucket.run(&run).plan().put(&record).await?;
        }
        let waiting: Vec<Waiting> = looks.values().flat_map(|look| look.waiting.clone()).collect();
        let outputs = outputs(&document, &self.scope);
        let end = |outcome, message: String| RunResult {
            plan: Some(record.id.clone()),
            outputs: outputs.clone(),
            waiting: waiting.clone(),
            ..RunResult::without_plan(&run, outcome, message)
        };
        if run.operation.only_looks() {
            return self.end(document, end(Outcome::Planned, summary(&record.plan))).await;
        }
        if again && !changes {
            return go(document, Next::Finish, "Everything is gone.");
        }
        if again && document.looks > LOOKS {
            return go(document, Next::Finish, "Some of it comes back.");
        }
        if again {
            return go(document, Next::Remove, "Something is left.");
        }
        if counts.refuse > 0 {
            let refused = record.plan.items().filter(|(_, item)| item.action == Action::Refuse);
            let reasons: Vec<String> = refused.map(|(stage, item)| refusal(stage, item)).collect();
            let message = format!("Nothing was changed.\n{}", reasons.join("\n"));
            return self.end(document, end(Outcome::Blocked, message)).await;
        }
        if let Some(asked) = run.plan.as_ref().filter(|asked| **asked != record.id) {
            let message = format!(
                "The plan is {} now and not {asked} any more: something changed since. Nothing was changed. Look at it with `stepstack plan`.",
                record.id
            );
            return self.end(document, end(Outcome::Blocked, message)).await;
        }
        if !changes && is_unrecorded(&document) {
            return go(
                document,
                Next::Finish,
                "The services run it already; it is not recorded as a release.",
            );
        }
        if !changes && run.operation != Operation::Destroy {
            self.accept(&mut document).await?;
            let message = if run.operation.is_overlay() {
                format!("Nothing to {}: it is so already.", run.operation.name())
            } else {
                "Nothing to do: AWS is as the file says.".to_owned()
            };
            return self.end(document, end(Outcome::NoChanges, message)).await;
        }
        if !changes {
            let mut result =
                end(Outcome::NoChanges, "Nothing to do: there is nothing of this environment.".to_owned());
            result.sweep = Some(Sweep { left: Vec::new(), kept: kept(&record.plan) });
            self.bucket.record(&run.environment).forget().await?;
            return self.end(document, result).await;
        }
        self.accept(&mut document).await?;
        self.expect_no_database(&document, &record.plan).await?;
        made_by_run(&mut document.stages, run.operation);
        let next = if run.operation == Operation::Destroy { Next::Remove } else { Next::Make };
        go(document, next, &format!("{} {}", run.operation.name(), record.id))
    }

    /// The stages' look reports, in order.
    pub(crate) async fn looks(&self, document: &Document) -> Result<BTreeMap<Stage, StageReport>> {
        let reports = Stage::ALL.map(|stage| async move {
            let look = self.bucket.last_report(document, stage).await?;
            let missing = || statemachine::Error::internal(format!("the look of {stage} is not there"));
            look.map(|look| (stage, look)).ok_or_else(missing)
        });
        Ok(try_join_all(reports).await?.into_iter().collect())
    }

    /// The configuration becomes the environment's own, and the intent names it. The copy is made by S3
    /// itself, so that its event says `CopyObject` and starts nothing.
    async fn accept(&self, document: &mut Document) -> Result<()> {
        let run = &document.run;
        let before = document.before.as_deref().unwrap_or(&document.intent).clone();
        let mut intent = document.intent.clone();
        if let (Some(stack), Operation::Apply) = (&document.stack, run.operation) {
            let config = document.config.clone();
            let target = self.bucket.record(&run.environment).configuration();
            if intent.config != config && run.config_key.as_deref() != Some(target.key()) {
                self.bucket.run(run).configuration().copy_to(&target).await?;
            }
            let engine = Some(env!("CARGO_PKG_VERSION").to_owned());
            if intent.config != config || intent.engine != engine || intent.run.is_none() {
                intent.config = config;
                intent.run = Some(run.id.clone());
                intent.at = Some(run.started_at.clone());
                intent.engine = engine;
            }
            // They only grow while a run is under way: what leaves with the old file is still to be found.
            intent.hosts = joined_names(hosts(stack), &intent.hosts);
            intent.buckets = joined_names(buckets(stack), &intent.buckets);
        }
        if counts_when_done(run.operation) || intent == before {
            return Ok(());
        }
        self.bucket.record(&run.environment).intent().put(&intent).await?;
        document.before = Some(Box::new(before));
        document.intent = intent;
        Ok(())
    }

    /// Writes the result, gives the lock back, and ends the machine.
    pub(crate) async fn end(&self, mut document: Document, result: RunResult) -> Result<Document> {
        let run = &document.run;
        self.bucket.run(run).result().put(&result).await?;
        if run.lock > 0 {
            self.bucket.record(&run.environment).lock().give_back(run).await?;
        }
        let next = if result.outcome.is_good() { Next::Succeed } else { Next::Fail };
        document.verdict = Verdict { next, retry_after_s: 0, message: result.message };
        Ok(document)
    }
}

/// Whether a deploy or a rollback asks for what is no release yet. Where the services run it, an earlier run was cut
/// off before it could say so, and an apply would take the services back.
pub(crate) fn is_unrecorded(document: &Document) -> bool {
    let is_new = match &document.image {
        Some(Wanted::New(_)) => true,
        Some(Wanted::Released(_)) | None => false,
    };
    counts_when_done(document.run.operation) && is_new
}

/// SHA-256 of a configuration's text.
pub(crate) fn fingerprint(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// What is kept on purpose, as the sweep lists it.
pub(crate) fn kept(plan: &Plan) -> Vec<String> {
    plan.items()
        .filter(|(_, item)| item.action == Action::Kept)
        .map(|(_, item)| format!("{} ({})", item.name, item.reason.as_deref().unwrap_or("kept")))
        .collect()
}

/// One plan of all stages. An operation concerns some stages only: what the others would change is shown as
/// drift by the next plan, and is none of its business.
fn joined(looks: &BTreeMap<Stage, StageReport>, operation: Operation) -> Plan {
    let stages = looks.iter().filter(|(stage, _)| operation.stages().contains(stage));
    Plan {
        stages: stages
            .map(|(stage, look)| StagePlan {
                stage: *stage,
                items: look.items.clone(),
                names: look.names.clone(),
            })
            .collect(),
    }
}

/// What is worth saying with a plan: what is laid over the file, what the way out costs.
fn notes(document: &Document) -> Vec<String> {
    let Some(stack) = &document.stack else { return Vec::new() };
    let mut notes = document.intent.notes(stack);
    match document.run.operation.facts().note {
        Note::Nothing => {}
        Note::Says(what) => notes.push(what.to_owned()),
        Note::EgressCosts => notes.push(format!("Egress costs {}.", monthly_price(stack))),
    }
    notes
}

/// Why a resource is refused, and which. Most reasons name it by themselves.
fn refusal(stage: Stage, item: &Item) -> String {
    let (name, reason) = (item.name.to_string(), item.reason.as_deref().unwrap_or("refused"));
    if reason.contains(&name) { format!("{stage}: {reason}") } else { format!("{stage}: {name}: {reason}") }
}

/// Counts in words: `3 to create, 1 to change, nothing to delete`.
fn summary(plan: &Plan) -> String {
    let counts = plan.counts();
    format!(
        "{} to create, {} to change, {} to delete, {} refused, {} unchanged.",
        counts.create, counts.update, counts.delete, counts.refuse, counts.keep
    )
}

/// Which stages the run makes: those with something to do, and those whose earlier stages have something to
/// do, because their descriptions may follow. An operation makes the stages it concerns, and removes only
/// theirs.
pub fn made_by_run(stages: &mut Stages, operation: Operation) {
    for stage in Stage::ALL {
        let concerned = operation.stages().contains(&stage);
        let has = |stage: Stage| stages[stage].to_do > 0;
        let make = concerned && (has(stage) || stage.after().iter().copied().any(has));
        stages[stage].make = make;
        if !concerned {
            stages[stage].left_over = 0;
        }
    }
}
