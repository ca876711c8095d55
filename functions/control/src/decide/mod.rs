//! What a step of a run comes to. Pure: no call, no clock. Each of the three functions takes what is known and answers
//! with a [`Course`]; where that depends on something that was not read yet, with what has to be read first. So nothing
//! is read that does not matter, and the order of the reads stands here too.

pub mod begin;
pub mod finish;
pub mod join;

use record::Holder;
use statemachine::message::{Document, Intent, Next, PlanRecord, ReleaseRecord, RunResult};

use crate::intent::Accepted;
use record::Described;

/// What is decided: the run's course, and the document as it is then.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// What is to be done.
    pub course: Course,
    /// The document that the machine goes on with; carrying out puts the verdict into it.
    pub document: Document,
}

/// What a step of a run comes to. [`crate::carry_out::script`] says what is written for each.
#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    // begin
    /// The trigger is not acted on.
    Refuse(RunResult),
    /// Another run is at work, and the caller does not wait for it.
    Busy(RunResult),
    /// Something newer, or something already done, has made the trigger pointless.
    Overtaken(RunResult),
    /// What the operation asks for is so already.
    SoAlready(RunResult),
    /// The operation is kept for later, in the intent.
    Note {
        /// The intent that says so.
        intent: Box<Intent>,
        /// The run's result.
        result: RunResult,
    },
    /// Another run is at work, and this one waits for its turn.
    Wait {
        /// The run that holds the lock.
        holder: Holder,
        /// The same, where the run's record does not name it yet.
        waits_for: Option<String>,
    },
    /// The stages are to look.
    Look {
        /// The text of the configuration, where it is not in the run's record already.
        configuration: Option<String>,
    },

    // join
    /// A look failed.
    Diagnose,
    /// The run was to look, and has.
    Planned {
        /// What it found.
        plan: PlanRecord,
        /// The run's result.
        result: RunResult,
    },
    /// After a removal nothing is left.
    AllGone,
    /// After a removal something is left.
    SomethingLeft,
    /// After several removals something is still left.
    ComesBack,
    /// The plan holds a refusal.
    Blocked {
        /// The plan.
        plan: PlanRecord,
        /// The run's result.
        result: RunResult,
    },
    /// The plan is not the one that was asked for.
    OtherPlan {
        /// The plan, where it says anything.
        plan: Option<PlanRecord>,
        /// The run's result.
        result: RunResult,
    },
    /// The services run already what is to be deployed, and no release says so.
    Unrecorded,
    /// AWS is as it is to be.
    NoChanges {
        /// What becomes of the intent.
        accepted: Accepted,
        /// The run's result.
        result: RunResult,
    },
    /// A destroy finds nothing to destroy.
    NothingThere(RunResult),
    /// The plan is carried out.
    Go {
        /// The plan.
        plan: PlanRecord,
        /// What becomes of the intent.
        accepted: Accepted,
        /// What is described from now on, where that changes before the plan is carried out.
        described: Option<Described>,
        /// Whether the stages make, or only remove.
        next: Next,
        /// What is carried out, in words.
        message: String,
    },

    // finish
    /// It failed, and makes once more what was there before.
    PutBack {
        /// The intent that was there before, where the record holds another.
        intent: Option<Box<Intent>>,
    },
    /// It failed, and has made once more what was there before.
    PutBackEnded(RunResult),
    /// It failed.
    Failed(RunResult),
    /// It was told to stop.
    Stopped(RunResult),
    /// Everything is destroyed: nothing is asked for any more.
    Forget(RunResult),
    /// Not everything is destroyed.
    Left(RunResult),
    /// What was asked for is what is there.
    Done {
        /// The release that the services run now, where that is a new one.
        release: Option<Box<ReleaseRecord>>,
        /// The intent, where it becomes another one.
        intent: Option<Box<Intent>>,
        /// What is described now, where that is something else.
        described: Option<Described>,
        /// The run's result.
        result: RunResult,
        /// Its result without what could not be written, where that is the case.
        otherwise: Box<RunResult>,
    },
}
