//! Three runs, a person who cancels one of them, and the lock between them.
//!
//! What a run does about the lock is decided by the functions that the functions themselves call ([`Rules`]); what the
//! model adds is everything that can come between a read, a write and its answer:
//!
//! * every conditional write is under way until it arrives, and others may act in between;
//! * its answer may be lost: then the SDK sends it again, and what refuses it may be its own first try;
//! * the function that sent it may be ended by Lambda: then `begin` is called again, and the write may still arrive;
//! * an execution may die at any moment, and its functions go on for up to a minute;
//! * two seconds pass ([`World::beat`]), or a whole minute ([`World::minute`]), in which all that was under way has ended.
//!
//! An ETag is the object's content, as S3 makes it: a lock that is again as it was has its ETag again.

use record::lock::{Claiming, HolderState};
use record::{Holder, Lock};
use statemachine::Stage;

pub(crate) const RUNS: usize = 3;
/// Time passes in beats of two seconds: so long a tick trusts what it has read of the lock.
pub(crate) const BEAT_MS: u64 = 2_000;
const HOLD: u8 = 1;
/// So many beats takes a call to AWS, at most.
const CALL: u8 = 1;
/// Longer than both together: no age is counted further.
pub(crate) const LONG: u8 = HOLD + CALL + 1;
/// The present, where an absolute time is asked for.
pub(crate) const NOW_S: i64 = 1_000_000;

/// What decides about the lock: the code under test, or a mutation of it.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) claim: fn(Option<&Lock>, &Holder, Option<HolderState>, i64) -> Claiming,
    pub(crate) stop: fn(&Lock, &str, &str) -> Option<Lock>,
    pub(crate) fail: fn(&Lock, &str, Stage) -> Option<Lock>,
    pub(crate) resume: fn(&Lock, &str) -> Option<Lock>,
    pub(crate) give_back: fn(&Lock, &str) -> Option<Lock>,
    pub(crate) held_by: fn(&Lock, &str) -> Result<(), String>,
    /// Whether what was read of the lock at the first time still counts at the second, in milliseconds.
    pub(crate) trusts: fn(u64, u64) -> bool,
    /// Whether S3 is told what a write may be written over.
    pub(crate) is_conditional: fn(What) -> bool,
    /// Whether a lock that a claim finds to be its own counts as read.
    pub(crate) found_counts_as_read: bool,
}

/// The lock, small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Content {
    pub(crate) generation: u8,
    pub(crate) holder: Option<u8>,
    pub(crate) is_cancelled: bool,
    pub(crate) has_failed: bool,
}

impl Content {
    pub(crate) fn lock(self) -> Lock {
        Lock {
            generation: self.generation.into(),
            holder: self.holder.map(|run| holder(run.into())),
            stop: self.is_cancelled.then(|| "cancelled".to_owned()),
            failed: self.has_failed.then_some(Stage::Database),
        }
    }

    pub(crate) fn is_of(self, at: usize) -> bool {
        self.holder.map(usize::from) == Some(at)
    }

    pub(crate) fn of(lock: &Lock) -> Self {
        Self {
            generation: u8::try_from(lock.generation).expect("three runs take it a few times"),
            holder: lock.holder.as_ref().and_then(|holder| holder.execution.parse().ok()),
            is_cancelled: lock.stop.is_some(),
            has_failed: lock.failed.is_some(),
        }
    }
}

/// The names of the executions, and of one that comes later.
pub(crate) const EXECUTIONS: [&str; RUNS + 1] = ["0", "1", "2", "3"];

fn holder(run: usize) -> Holder {
    Holder {
        run: String::new(),
        execution: EXECUTIONS[run].to_owned(),
        operation: String::new(),
        since: String::new(),
    }
}

/// A run's place, as it is kept.
pub(crate) fn small(at: usize) -> u8 {
    u8::try_from(at).expect("a few runs")
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    Claim,
    Fail,
    Resume,
    GiveBack,
    Cancel,
}

/// A write of the lock that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Put {
    pub(crate) what: What,
    pub(crate) over: Option<Content>,
    pub(crate) new: Content,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// It wants the lock.
    Waiting,
    /// Its claim was refused: it reads whose the lock is.
    Refused,
    /// Its stages work: they read the lock and call AWS.
    Working,
    /// A stage has failed, and the others are to be told.
    Failing,
    /// A stage has failed, and the others are told.
    Failed,
    /// It gives the lock back.
    Finishing,
    Ended,
}

/// Its execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Execution {
    Running,
    /// It ended less than a minute ago: its functions may be alive.
    Dead,
    Buried,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Run {
    pub(crate) place: Place,
    pub(crate) execution: Execution,
    /// It has put back once.
    pub(crate) is_put_back: bool,
    pub(crate) put: Option<Put>,
    /// The write of a function that was ended.
    pub(crate) late: Option<Put>,
    /// The ETag that the document holds.
    pub(crate) etag: Option<Content>,
    /// How long ago it read that the lock is its own.
    pub(crate) read_ago: u8,
    /// How long a call to AWS has been under way.
    pub(crate) calling: Option<u8>,
    /// For how long the lock has not been its own, or has told it to stop.
    pub(crate) lost_ago: u8,
    /// How long ago a person's stop was written.
    pub(crate) told_ago: Option<u8>,
}

/// The person who cancels a run, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cancel {
    Not,
    /// Reads the lock, of this run.
    Reads(u8),
    /// Writes it.
    Puts(u8, Put),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct World {
    pub(crate) lock: Option<Content>,
    pub(crate) runs: [Run; RUNS],
    pub(crate) cancel: Cancel,
    /// How much may still go wrong.
    pub(crate) mishaps: u8,
}

/// Who does what.
pub(crate) type Action = (usize, &'static str);

impl World {
    /// Nobody has ever taken the lock, and so many runs want it; the others are over.
    pub(crate) fn start(runs: usize, mishaps: u8) -> Self {
        let over = Run { place: Place::Ended, execution: Execution::Buried, ..Run::NEW };
        let runs = std::array::from_fn(|at| if at < runs { Run::NEW } else { over });
        Self { lock: None, runs, cancel: Cancel::Not, mishaps }
    }

    /// What must never be.
    pub(crate) fn wrong(&self) -> Option<&'static str> {
        let mut writers = self.runs.iter().filter(|run| run.calling.is_some());
        let is_late = |run: &Run, since: u8| run.calling.is_some() && since > HOLD + CALL;
        if writers.clone().count() > 1 {
            Some("two runs write at once")
        } else if writers.clone().any(|run| is_late(run, run.lost_ago)) {
            Some("a run writes past the window")
        } else if writers.any(|run| run.told_ago.is_some_and(|told_ago| is_late(run, told_ago))) {
            Some("a stop is lost")
        } else {
            None
        }
    }

    /// Whether a run that asks now takes the lock.
    pub(crate) fn can_be_taken(&self, rules: &Rules) -> bool {
        matches!(self.claiming(rules, RUNS, true), Claiming::Write(_))
    }

    /// What a run does that asks for the lock; the holder is asked about where `asks`.
    pub(crate) fn claiming(&self, rules: &Rules, run: usize, asks: bool) -> Claiming {
        let found = self.lock.map(Content::lock);
        let present =
            self.lock.and_then(|lock| lock.holder).map(usize::from).filter(|present| asks && *present != run);
        let state = present.map(|present| match self.runs[present] {
            Run { execution: Execution::Dead, .. } => HolderState::Ended(NOW_S - 59),
            Run { execution: Execution::Buried, .. } => HolderState::Ended(NOW_S - 60),
            Run { execution: Execution::Running, .. } => HolderState::Running,
        });
        (rules.claim)(found.as_ref(), &holder(run), state, NOW_S)
    }

    /// The one of all worlds that differ from it in nothing that matters: runs are all alike, a run that does nothing
    /// any more is like any other such run, and of generations it only matters which are equal and which come next.
    pub(crate) fn canonical(mut self) -> Self {
        for at in 0..RUNS {
            let is_holder = self.lock.is_some_and(|lock| lock.is_of(at));
            self.runs[at] = self.runs[at].settled(is_holder);
        }
        let mut order: [u8; RUNS] = std::array::from_fn(small);
        order.sort_by_cached_key(|at| self.runs[usize::from(*at)].seen_from(*at));
        let mut places = [0; RUNS];
        for (place, at) in order.into_iter().enumerate() {
            places[usize::from(at)] = small(place);
        }
        let oldest = self.oldest();
        let content = |content: Content| Content {
            generation: content.generation - oldest,
            holder: content.holder.map(|run| places[usize::from(run)]),
            ..content
        };
        let put = |put: Put| Put { over: put.over.map(content), new: content(put.new), ..put };
        let runs = order.map(|at| {
            let run = self.runs[usize::from(at)];
            Run { put: run.put.map(put), late: run.late.map(put), etag: run.etag.map(content), ..run }
        });
        let cancel = match self.cancel {
            Cancel::Reads(run) => Cancel::Reads(places[usize::from(run)]),
            Cancel::Puts(run, one) => Cancel::Puts(places[usize::from(run)], put(one)),
            other @ (Cancel::Not | Cancel::Done) => other,
        };
        Self { lock: self.lock.map(content), runs, cancel, ..self }
    }

    /// The smallest generation that the lock has, or that somebody knows.
    fn oldest(&self) -> u8 {
        let of_put = |put: Put| put.over.map_or(0, |over| over.generation).min(put.new.generation);
        let mut oldest = self.lock.map_or(0, |lock| lock.generation);
        for run in &self.runs {
            for generation in
                [run.put.map(of_put), run.late.map(of_put), run.etag.map(|etag| etag.generation)]
            {
                oldest = oldest.min(generation.unwrap_or(oldest));
            }
        }
        if let Cancel::Puts(_, put) = self.cancel {
            oldest = oldest.min(of_put(put));
        }
        oldest
    }

    /// A beat passes. Not before a call has ended that takes no longer.
    pub(crate) fn beat(mut self) -> Option<Self> {
        for at in 0..RUNS {
            let is_lost = !self.holds(at);
            let run = &mut self.runs[at];
            if run.calling.is_some_and(|calling| calling >= CALL) {
                return None;
            }
            run.calling = run.calling.map(|calling| calling + 1);
            run.read_ago = LONG.min(run.read_ago + 1);
            run.told_ago = run.told_ago.map(|told_ago| LONG.min(told_ago + 1));
            run.lost_ago = if is_lost && (run.ticks() || run.calling.is_some()) {
                LONG.min(run.lost_ago + 1)
            } else {
                0
            };
        }
        Some(self)
    }

    /// A minute passes. Calls have ended, and nothing of a function that was ended is alive.
    pub(crate) fn minute(mut self) -> Option<Self> {
        for at in 0..RUNS {
            let is_lost = !self.holds(at);
            let run = &mut self.runs[at];
            if run.calling.is_some() {
                return None;
            }
            if run.execution != Execution::Running {
                (run.execution, run.put) = (Execution::Buried, None);
            }
            (run.late, run.read_ago) = (None, LONG);
            run.told_ago = run.told_ago.map(|_| LONG);
            run.lost_ago = if is_lost && run.ticks() { LONG } else { 0 };
        }
        Some(self)
    }

    /// Whether the lock is the run's, and nobody has told it to stop.
    fn holds(&self, at: usize) -> bool {
        self.lock.is_some_and(|lock| lock.is_of(at) && !lock.is_cancelled && !lock.has_failed)
    }

    /// A write arrives. Answers whether it was taken.
    pub(crate) fn arrive(&mut self, put: Put, rules: &Rules) -> bool {
        let is_taken = self.lock == put.over || !(rules.is_conditional)(put.what);
        if is_taken {
            self.lock = Some(put.new);
            for at in 0..RUNS {
                if self.holds(at) {
                    self.runs[at].lost_ago = 0;
                }
            }
        }
        is_taken
    }
}

impl Run {
    /// A run that has begun nothing.
    const NEW: Self = Self {
        place: Place::Waiting,
        execution: Execution::Running,
        is_put_back: false,
        put: None,
        late: None,
        etag: None,
        read_ago: LONG,
        calling: None,
        lost_ago: 0,
        told_ago: None,
    };

    /// The same, as it looks whichever of the runs it is: a lock is its own or another's.
    fn seen_from(self, at: u8) -> Self {
        let content =
            |content: Content| Content { holder: content.holder.map(|run| u8::from(run == at)), ..content };
        let put = |put: Put| Put { over: put.over.map(content), new: content(put.new), ..put };
        Run { put: self.put.map(put), late: self.late.map(put), etag: self.etag.map(content), ..self }
    }

    /// The same, without what no longer matters.
    fn settled(self, is_holder: bool) -> Self {
        let is_at_work = self.ticks() || self.calling.is_some();
        let read_ago = if is_at_work || self.put.is_some() || self.place == Place::Refused {
            self.read_ago
        } else {
            LONG
        };
        let run = Self { read_ago, ..self };
        if self.execution == Execution::Running || is_at_work {
            return run;
        }
        let is_over = self.put.is_none() && self.late.is_none();
        let execution = if is_over && !is_holder { Execution::Buried } else { self.execution };
        Self { place: Place::Ended, execution, put: run.put, late: run.late, ..Self::NEW }
    }

    /// Whether stages of it may be at work.
    pub(crate) fn ticks(&self) -> bool {
        let is_alive = self.execution != Execution::Buried;
        is_alive && matches!(self.place, Place::Working | Place::Failing | Place::Failed)
    }

    /// Whether control can be called about it: nothing of the step before is under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.execution == Execution::Running && self.put.is_none() && self.calling.is_none()
    }
}
