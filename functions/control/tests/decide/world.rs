//! The provisioner's bucket and AWS in memory: what a step has to know is looked up in it, what a course writes is put
//! into it. So a step can be decided, carried out up to any of its writes, and repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use control::carry_out::{Script, Then, Write, script};
use control::decide::Decided;
use control::decide::begin::{self, Begun};
use control::decide::finish::{self, Worked};
use control::decide::join::{self, Looked};
use control::{Ask, NotAsked};
use jiff::Timestamp;
use record::lock::Claim;
use record::{Described, Holder};
use statemachine::Stage;
use statemachine::message::{
    Diagnosis, Document, Failure, Intent, PlanRecord, ReleaseRecord, Run, RunResult, StageReport,
};
use statemachine::permission::Scope;

/// The run of [`Document::example`].
pub(crate) const RUN: &str = "20261123-101500-abcd";
/// Its execution.
pub(crate) const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:stepstack-arive:x";

/// What stands there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World {
    /// The configuration at whatever place the run reads.
    pub(crate) file: Option<String>,
    pub(crate) holder: Option<Holder>,
    pub(crate) generation: u64,
    pub(crate) has_failed: bool,
    pub(crate) intent: Option<Intent>,
    pub(crate) described: Option<Described>,
    /// What was described cannot be read.
    pub(crate) unreadable: Option<Failure>,
    /// The newest upload or image.
    pub(crate) newest: Option<String>,
    pub(crate) releases: BTreeMap<NonZeroU32, ReleaseRecord>,
    pub(crate) tags: BTreeSet<NonZeroU32>,
    pub(crate) is_accepted: bool,
    pub(crate) looks: BTreeMap<Stage, StageReport>,
    pub(crate) reports: BTreeMap<Stage, StageReport>,
    pub(crate) diagnosis: Option<Diagnosis>,
    pub(crate) is_requested: bool,
    /// What the run's request says that it waits for.
    pub(crate) waits_for: Option<String>,
    pub(crate) configuration: Option<String>,
    pub(crate) plan: Option<PlanRecord>,
    pub(crate) result: Option<RunResult>,
}

/// A decision, and what was read for it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) decided: Decided,
    pub(crate) reads: Vec<&'static str>,
}

pub(crate) fn scope() -> Scope {
    Scope { app: "arive".to_owned(), account: "123456789012".to_owned(), region: "us-east-1".to_owned() }
}

pub(crate) fn now() -> Timestamp {
    "2026-11-23T10:16:00Z".parse().expect("a time")
}

impl World {
    pub(crate) fn begin(&mut self, ask: Result<Ask, NotAsked>) -> Step {
        let (run, started) = (RUN.to_owned(), "2026-11-23T10:15:00Z".to_owned());
        let mut known = Begun::new(scope(), run, EXECUTION.to_owned(), started, ask);
        let mut reads = Vec::new();
        loop {
            let unknown = match begin::begin(&known, now()) {
                Ok(decided) => return Step { decided, reads },
                Err(unknown) => unknown,
            };
            reads.push(match unknown {
                begin::Unknown::Configuration(source) => {
                    known.see_configuration(&source, self.file.as_ref().map(String::as_bytes));
                    "configuration"
                }
                begin::Unknown::Turn(holder) => {
                    known.turn = Some(self.turn(holder));
                    "turn"
                }
                begin::Unknown::WaitsFor => {
                    known.waits_for = Some(self.waits_for.clone());
                    "waits-for"
                }
                begin::Unknown::Intent => {
                    known.intent = Some(self.intent.clone().unwrap_or_default());
                    "intent"
                }
                begin::Unknown::NewestUpload(_) | begin::Unknown::NewestImage(_) => {
                    known.newest = Some(self.newest.clone());
                    "newest"
                }
                begin::Unknown::Release(number) => {
                    known.earlier = Some(self.releases.get(&number).cloned());
                    "release"
                }
            });
            assert!(reads.len() <= 6, "it reads on and on: {reads:?}");
        }
    }

    pub(crate) fn join(&self, document: &Document) -> Step {
        let mut known = Looked::new(scope(), document.clone());
        let mut reads = Vec::new();
        loop {
            let unknown = match join::join(&known, now()) {
                Ok(decided) => return Step { decided, reads },
                Err(unknown) => unknown,
            };
            reads.push(match unknown {
                join::Unknown::Looks => {
                    known.looks = Some(self.looks.clone());
                    "looks"
                }
                join::Unknown::Described => {
                    known.described = Some(self.described.clone().unwrap_or_default());
                    "described"
                }
            });
            assert!(reads.len() <= 2, "it reads on and on: {reads:?}");
        }
    }

    pub(crate) fn finish(&self, document: &Document) -> Step {
        let mut known = Worked::new(scope(), document.clone());
        let mut reads = Vec::new();
        loop {
            let unknown = match finish::finish(&known, now()) {
                Ok(decided) => return Step { decided, reads },
                Err(unknown) => unknown,
            };
            reads.push(match unknown {
                finish::Unknown::Reports => {
                    known.reports = Some(self.reports.clone());
                    "reports"
                }
                finish::Unknown::Diagnosis => {
                    known.diagnosis = Some(self.diagnosis.clone());
                    "diagnosis"
                }
                finish::Unknown::Looks => {
                    known.looks = Some(self.looks.clone());
                    "looks"
                }
                finish::Unknown::Described => {
                    let described = self.described.clone().unwrap_or_default();
                    known.described = Some(self.unreadable.clone().map_or(Ok(described), Err));
                    "described"
                }
            });
            assert!(reads.len() <= 3, "it reads on and on: {reads:?}");
        }
    }

    fn turn(&mut self, holder: Holder) -> Claim {
        match &self.holder {
            Some(present) if present.execution != holder.execution => {
                return Claim::Busy(present.clone());
            }
            Some(_) => {}
            None => {
                self.generation += 1;
                self.holder = Some(holder);
            }
        }
        Claim::Taken { generation: self.generation, etag: Some("e1".to_owned()), held_ms: Some(1) }
    }

    /// Carries out at most so many writes, and answers their names.
    pub(crate) fn carry_out(&mut self, decided: Decided, most: usize) -> Vec<&'static str> {
        let run = &decided.document.run;
        let Script { writes, then } = script(decided.course);
        let mut names = Vec::new();
        for write in writes {
            if names.len() == most {
                return names;
            }
            names.push(self.write(write));
        }
        if let Then::End { result, otherwise: _ } = then {
            if names.len() < most {
                self.result = Some(*result);
                names.push("result");
            }
            if names.len() < most && run.lock.is_some() {
                self.give_back(run);
                names.push("lock");
            }
        }
        names
    }

    fn give_back(&mut self, run: &Run) {
        if self.holder.as_ref().is_some_and(|holder| holder.execution == run.execution) {
            self.holder = None;
            self.has_failed = false;
        }
    }

    fn write(&mut self, write: Write) -> &'static str {
        match write {
            Write::Request(waits_for) => {
                (self.is_requested, self.waits_for) = (true, waits_for);
                "request"
            }
            Write::Configuration(text) => {
                self.configuration = Some(text);
                "configuration"
            }
            Write::Plan(plan) => {
                self.plan = Some(plan);
                "plan"
            }
            Write::Accept => {
                self.is_accepted = true;
                "accept"
            }
            Write::Intent(intent) => {
                self.intent = Some(*intent);
                "intent"
            }
            Write::Described(described) => {
                self.described = Some(described);
                "described"
            }
            Write::Release(record) => {
                self.releases.insert(record.release.number, *record);
                "release"
            }
            Write::Tag(release) => {
                self.tags.insert(release.number);
                "tag"
            }
            Write::Forget => {
                (self.intent, self.described, self.is_accepted) = (None, None, false);
                "forget"
            }
            Write::Resume => {
                self.has_failed = false;
                "resume"
            }
        }
    }
}
