//! What is written for each course of a run, in order. No choices are left here.

use statemachine::message::{
    Document, Failure, Intent, Next, PlanRecord, Release, ReleaseRecord, Run, RunResult, Verdict,
};
use statemachine::resource::Name;
use statemachine::{Error, Part, Result};

use crate::Control;
use crate::decide::{Course, Decided};
use crate::intent::Accepted;
use record::Described;

/// How often a run that waits for its turn asks for the lock.
const ASK_AGAIN_S: u32 = 2;

/// One thing that is written. Writing it twice is writing it once.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The run's request, with the run that it waits for.
    Request(Option<String>),
    /// The run's configuration.
    Configuration(String),
    /// The run's plan.
    Plan(PlanRecord),
    /// The run's configuration becomes the environment's own.
    Accept,
    /// The environment's intent.
    Intent(Box<Intent>),
    /// What the last good run described.
    Described(Described),
    /// A release.
    Release(Box<ReleaseRecord>),
    /// The tag of a release on its image.
    Tag(Release),
    /// Nothing is asked of the environment any more: intent, what was described and configuration go.
    Forget,
    /// The lock tells nobody to stop any more.
    Resume,
}

/// Where the machine goes after the writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// It goes on.
    Go(Verdict),
    /// The run is over: its result is written, then its lock given back, if it has one.
    End {
        /// The result.
        result: Box<RunResult>,
        /// Where a write before it fails for good, the run is told to have failed, by this result: the next run does
        /// what is left. Without one the step fails.
        otherwise: Option<Box<RunResult>>,
    },
}

/// What a course writes, in order, and where the machine goes then.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The writes.
    pub writes: Vec<Write>,
    /// What comes after them.
    pub then: Then,
}

/// The script of a course.
pub fn script(course: Course) -> Script {
    match course {
        Course::Refuse(result)
        | Course::Busy(result)
        | Course::Overtaken(result)
        | Course::SoAlready(result) => Script::end([Some(Write::Request(None))], result),
        Course::Note { intent, result } => {
            Script::end([Some(Write::Intent(intent)), Some(Write::Request(None))], result)
        }
        Course::Wait { holder, waits_for } => {
            let request = waits_for.map(|run| Write::Request(Some(run)));
            let message = format!("Waiting for run {} ({}) to end.", holder.run, holder.operation);
            let verdict = Verdict { next: Next::Wait, retry_after_s: ASK_AGAIN_S, message };
            Script::new([request], Then::Go(verdict))
        }
        Course::Look { configuration } => Script::go(
            [configuration.map(Write::Configuration), Some(Write::Request(None))],
            Next::Look,
            String::new(),
        ),

        Course::Diagnose => Script::go([], Next::Diagnose, "A look failed."),
        Course::Planned { plan, result } | Course::Blocked { plan, result } => {
            Script::end([Some(Write::Plan(plan))], result)
        }
        Course::OtherPlan { plan, result } => Script::end([plan.map(Write::Plan)], result),
        Course::AllGone => Script::go([], Next::Finish, "Everything is gone."),
        Course::ComesBack => Script::go([], Next::Finish, "Some of it comes back."),
        Course::SomethingLeft => Script::go([], Next::Remove, "Something is left."),
        Course::Unrecorded => {
            let message = "The services run it already; it is not recorded as a release.";
            Script::go([], Next::Finish, message)
        }
        Course::NoChanges { accepted, result } => Script::end(accepted_writes(accepted), result),
        Course::NothingThere(result) => Script::end([Some(Write::Forget)], result),
        Course::Go { plan, accepted, described, next, message } => {
            let [configuration, intent] = accepted_writes(accepted);
            let writes = [Some(Write::Plan(plan)), configuration, intent, described.map(Write::Described)];
            Script::go(writes, next, message)
        }

        Course::PutBack { intent } => Script::go(
            [intent.map(Write::Intent), Some(Write::Resume)],
            Next::Make,
            "Putting back what ran before.",
        ),
        Course::PutBackEnded(result)
        | Course::Failed(result)
        | Course::Stopped(result)
        | Course::Left(result) => Script::end([], result),
        Course::Forget(result) => {
            let otherwise = Box::new(result.clone());
            Script::end_or_fail([Some(Write::Forget)], result, otherwise)
        }
        Course::Done { release, intent, described, result, otherwise } => {
            let tag = release.as_ref().map(|record| Write::Tag(record.release.clone()));
            let writes = [
                release.map(Write::Release),
                tag,
                intent.map(Write::Intent),
                described.map(Write::Described),
            ];
            Script::end_or_fail(writes, result, otherwise)
        }
    }
}

/// The configuration first: an intent never names one that is not the environment's.
fn accepted_writes(accepted: Accepted) -> [Option<Write>; 2] {
    let Accepted { takes_configuration, intent } = accepted;
    [takes_configuration.then_some(Write::Accept), intent.map(Write::Intent)]
}

impl Script {
    fn new<const N: usize>(writes: [Option<Write>; N], then: Then) -> Self {
        Self { writes: writes.into_iter().flatten().collect(), then }
    }

    fn go<const N: usize>(writes: [Option<Write>; N], next: Next, message: impl Into<String>) -> Self {
        let verdict = Verdict { next, retry_after_s: 0, message: message.into() };
        Self::new(writes, Then::Go(verdict))
    }

    fn end<const N: usize>(writes: [Option<Write>; N], result: RunResult) -> Self {
        Self::new(writes, Then::End { result: Box::new(result), otherwise: None })
    }

    fn end_or_fail<const N: usize>(
        writes: [Option<Write>; N],
        result: RunResult,
        otherwise: Box<RunResult>,
    ) -> Self {
        let then = Then::End { result: Box::new(result), otherwise: Some(otherwise) };
        Self::new(writes, then)
    }
}

impl Control {
    /// Carries out what is decided, and answers the document with the verdict in it.
    pub(crate) async fn carry_out(&self, decided: Decided) -> Result<Document> {
        let Decided { course, mut document } = decided;
        let Script { writes, then } = script(course);
        let written = self.write_all(writes, &mut document.run).await;
        document.verdict = match then {
            Then::Go(verdict) => {
                written?;
                verdict
            }
            Then::End { result, otherwise } => {
                let result = written.map_or_else(|error| or_fail(error, otherwise), |()| Ok(result))?;
                self.end(&document.run, &result).await?;
                let next = if result.outcome.is_good() { Next::Succeed } else { Next::Fail };
                Verdict { next, retry_after_s: 0, message: result.message }
            }
        };
        Ok(document)
    }

    /// Writes the result, and gives the lock back: who sees it free finds the result.
    async fn end(&self, run: &Run, result: &RunResult) -> Result<()> {
        self.bucket.run(run).result().put(result).await?;
        if run.lock.is_some() {
            self.bucket.record(&run.environment).lock().give_back(run).await?;
        }
        Ok(())
    }
}

/// The result of a run whose last writes failed with this error; the error again, where there is none, or where Step
/// Functions calls once more for it.
fn or_fail(error: Error, otherwise: Option<Box<RunResult>>) -> Result<Box<RunResult>> {
    match otherwise {
        Some(mut result) if !is_called_again(&error) => {
            result.fail(Failure::of(Part::Control, &Name::from_tag("*"), &error), None);
            Ok(result)
        }
        Some(_) | None => Err(error),
    }
}

/// Whether Step Functions calls control once more after this error.
pub(crate) fn is_called_again(error: &Error) -> bool {
    error.kind.is_passing()
}
