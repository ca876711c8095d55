//! What each of them can do next.

use record::lock::Claiming;
use statemachine::Stage;

use crate::explore::Step;
use crate::world::{
    Action, BEAT_MS, Cancel, Content, EXECUTIONS, Execution, LONG, NOW_S, Place, Put, RUNS, Rules, Run, What,
    World, small,
};

const PERSON: usize = RUNS;
const TIME: usize = RUNS + 1;

impl World {
    /// Everything that can happen next.
    pub(crate) fn steps(&self, rules: &Rules) -> Vec<Step<Self, Action>> {
        let mut steps = Steps { world: self, rules, found: Vec::new() };
        for at in 0..RUNS {
            steps.of_put(at);
            steps.of_stages(at);
            steps.of_control(at);
        }
        steps.of_person();
        steps.add(TIME, "two seconds pass", Comes::ByItself, World::beat);
        steps.add(TIME, "a minute passes", Comes::ByItself, World::minute);
        steps.found
    }
}

/// Whether it comes to a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Sooner or later.
    ByItself,
    /// Perhaps.
    Perhaps,
    /// Where a mishap is left.
    AsAMishap,
}

struct Steps<'a> {
    world: &'a World,
    rules: &'a Rules,
    found: Vec<Step<World, Action>>,
}

impl Steps<'_> {
    /// A step that changes the world so; none where the change cannot be, or changes nothing.
    fn add(
        &mut self,
        who: usize,
        what: &'static str,
        comes: Comes,
        change: impl FnOnce(World) -> Option<World>,
    ) {
        let mut world = *self.world;
        if comes == Comes::AsAMishap {
            let Some(left) = world.mishaps.checked_sub(1) else { return };
            world.mishaps = left;
        }
        if let Some(next) = change(world).filter(|next| *next != world) {
            self.found.push(Step {
                action: (who, what),
                next: next.canonical(),
                comes_by_itself: comes == Comes::ByItself,
            });
        }
    }

    /// The same, where only the run changes.
    fn run(&mut self, at: usize, what: &'static str, comes: Comes, change: impl FnOnce(Run) -> Option<Run>) {
        self.add(at, what, comes, |mut world| {
            world.runs[at] = change(world.runs[at])?;
            Some(world)
        });
    }

    /// What becomes of a run's write of the lock.
    fn of_put(&mut self, at: usize) {
        let rules = self.rules;
        if let Some(put) = self.world.runs[at].put {
            self.add(at, "its write arrives", Comes::ByItself, |mut world| {
                let is_taken = world.arrive(put, rules);
                let run = &mut world.runs[at];
                *run = match run.execution {
                    Execution::Running => answered(*run, put, is_taken),
                    // Nobody goes on from the answer.
                    Execution::Dead | Execution::Buried => Run { put: None, ..*run },
                };
                Some(world)
            });
            // The SDK sends it again: it is still under way.
            self.add(at, "its write arrives, and the answer is lost", Comes::AsAMishap, |mut world| {
                world.arrive(put, rules);
                Some(world)
            });
            self.run(at, "the function that writes is ended", Comes::AsAMishap, |run| {
                run.late.is_none().then_some(Run { put: None, late: Some(put), ..run })
            });
        }
        if let Some(late) = self.world.runs[at].late {
            self.add(at, "a late write arrives", Comes::Perhaps, |mut world| {
                world.arrive(late, rules);
                world.runs[at].late = None;
                Some(world)
            });
        }
    }

    /// What a run's stages do.
    fn of_stages(&mut self, at: usize) {
        let (run, rules, execution) = (self.world.runs[at], self.rules, EXECUTIONS[at]);
        self.run(at, "a call ends", Comes::ByItself, |run| Some(Run { calling: None, ..run }));
        if !run.ticks() {
            return;
        }
        let lock = self.world.lock.map(Content::lock).unwrap_or_default();
        let is_held = (rules.held_by)(&lock, execution).is_ok();
        self.run(at, "a stage reads the lock", Comes::ByItself, |run| {
            Some(match run.place {
                _ if is_held => Run { read_ago: 0, ..run },
                Place::Working => Run { place: Place::Finishing, read_ago: LONG, ..run },
                _ => Run { read_ago: LONG, ..run },
            })
        });
        let now_ms = u64::try_from(NOW_S * 1_000).expect("a time after 1970");
        if (rules.trusts)(now_ms - u64::from(run.read_ago) * BEAT_MS, now_ms) && run.calling.is_none() {
            self.run(at, "a stage begins a call", Comes::ByItself, |run| {
                Some(Run { calling: Some(0), ..run })
            });
        }
        let told = self.world.lock.and_then(|found| {
            let new = (rules.fail)(&found.lock(), execution, Stage::Database)?;
            Some(Put { what: What::Fail, over: Some(found), new: Content::of(&new) })
        });
        let reads = |run: Run| match told {
            Some(put) => Some(Run { place: Place::Failing, put: Some(put), ..run }),
            None => Some(Run { place: Place::Failed, ..run }),
        };
        match run.place {
            Place::Working if run.put.is_none() => {
                self.run(at, "a stage fails, and reads the lock", Comes::AsAMishap, reads);
            }
            Place::Failing if run.put.is_none() => {
                self.run(at, "the failed stage reads the lock again", Comes::ByItself, reads);
            }
            _ => {}
        }
    }

    /// What control does for a run, while its execution runs.
    fn of_control(&mut self, at: usize) {
        let (run, rules, execution) = (self.world.runs[at], self.rules, EXECUTIONS[at]);
        if run.execution == Execution::Running && run.place != Place::Ended {
            self.run(at, "its execution dies", Comes::AsAMishap, |run| {
                Some(Run { execution: Execution::Dead, ..run })
            });
        }
        if !run.is_at_rest() {
            return;
        }
        let found = self.world.lock;
        match run.place {
            Place::Waiting | Place::Refused => {
                let is_first = run.place == Place::Waiting;
                let claiming = self.world.claiming(rules, at, is_first);
                self.run(at, "it claims the lock", Comes::ByItself, |run| {
                    Some(match claiming {
                        Claiming::Ours(_) => {
                            let read_ago = match (rules.found_counts_as_read, is_first) {
                                (true, true) => 0,
                                (true, false) => run.read_ago,
                                (false, _) => LONG,
                            };
                            Run { place: Place::Working, etag: found, read_ago, ..run }
                        }
                        Claiming::Write(new) if is_first => {
                            let put = Put { what: What::Claim, over: found, new: Content::of(&new) };
                            Run { put: Some(put), read_ago: 0, ..run }
                        }
                        Claiming::Write(_) | Claiming::Theirs(_) => Run { place: Place::Waiting, ..run },
                    })
                });
            }
            Place::Working | Place::Failed | Place::Finishing => {
                let over = run.etag.or(found);
                let free = over.and_then(|over| {
                    let new = (rules.give_back)(&over.lock(), execution)?;
                    Some(Put { what: What::GiveBack, over: Some(over), new: Content::of(&new) })
                });
                self.run(at, "it ends, and gives the lock back", Comes::ByItself, |run| {
                    Some(match free {
                        Some(put) => Run { place: Place::Finishing, put: Some(put), ..run },
                        None => ended(run),
                    })
                });
                if run.place != Place::Failed || run.is_put_back {
                    return;
                }
                let put = found.and_then(|found| {
                    let new = (rules.resume)(&found.lock(), execution)?;
                    Some(Put { what: What::Resume, over: Some(found), new: Content::of(&new) })
                });
                self.run(at, "it is to put back", Comes::ByItself, |run| {
                    Some(match put {
                        Some(put) => Run { put: Some(put), ..run },
                        None => going_on(run, found.filter(|found| found.is_of(at))),
                    })
                });
            }
            Place::Failing | Place::Ended => {}
        }
    }

    /// What the person does who cancels a run.
    fn of_person(&mut self) {
        let rules = self.rules;
        match self.world.cancel {
            Cancel::Not => {
                for at in 0..EXECUTIONS.len() - 1 {
                    if self.world.runs[at].execution == Execution::Running {
                        self.add(PERSON, "cancels a run, and reads the lock", Comes::AsAMishap, |world| {
                            Some(cancelled(world, at, rules))
                        });
                    }
                }
            }
            Cancel::Reads(at) => {
                self.add(PERSON, "reads the lock again", Comes::ByItself, |world| {
                    Some(cancelled(world, at.into(), rules))
                });
            }
            Cancel::Puts(at, put) => {
                let arrives = |mut world: World, is_answered: bool| {
                    let is_taken = world.arrive(put, rules);
                    if is_taken {
                        world.runs[usize::from(at)].told_ago = Some(0);
                    }
                    world.cancel = match (is_answered, is_taken) {
                        (true, true) => Cancel::Done,
                        (true, false) => Cancel::Reads(at),
                        (false, _) => Cancel::Puts(at, put),
                    };
                    Some(world)
                };
                self.add(PERSON, "the stop is written", Comes::ByItself, |world| arrives(world, true));
                self.add(PERSON, "the stop is written, and the answer is lost", Comes::AsAMishap, |world| {
                    arrives(world, false)
                });
            }
            Cancel::Done => {}
        }
    }
}

/// The world after a person has read the lock to cancel a run: it is to be told, or its execution is stopped.
fn cancelled(mut world: World, at: usize, rules: &Rules) -> World {
    let found = world.lock.filter(|found| found.is_of(at));
    let told = found.and_then(|found| {
        let new = (rules.stop)(&found.lock(), EXECUTIONS[at], "cancelled")?;
        Some(Put { what: What::Cancel, over: Some(found), new: Content::of(&new) })
    });
    world.cancel = match told {
        Some(put) => Cancel::Puts(small(at), put),
        None => Cancel::Done,
    };
    let run = &mut world.runs[at];
    if found.is_some() && told.is_none() {
        run.told_ago = run.told_ago.or(Some(0));
    }
    if found.is_none() && run.execution == Execution::Running {
        run.execution = Execution::Dead;
    }
    world
}

/// A run whose write was answered.
fn answered(run: Run, put: Put, is_taken: bool) -> Run {
    let run = Run { put: None, ..run };
    match (put.what, is_taken) {
        (What::Claim, true) => Run { place: Place::Working, etag: Some(put.new), ..run },
        (What::Claim, false) => Run { place: Place::Refused, ..run },
        (What::Fail, true) => Run { place: Place::Failed, ..run },
        // It is read again.
        (What::Fail, false) => run,
        (What::Resume, is_taken) => going_on(run, is_taken.then_some(put.new)),
        (What::GiveBack, true) => ended(run),
        (What::GiveBack, false) => Run { etag: None, ..run },
        (What::Cancel, _) => unreachable!("a person writes it"),
    }
}

/// A run that puts back what was there before, with the lock's ETag.
fn going_on(run: Run, etag: Option<Content>) -> Run {
    Run { place: Place::Working, is_put_back: true, etag, ..run }
}

fn ended(run: Run) -> Run {
    Run { place: Place::Ended, execution: Execution::Dead, etag: None, read_ago: LONG, ..run }
}
