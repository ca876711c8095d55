//! A search through every state that a model can reach, breadth first: the first trace found is a shortest one.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

/// A way on from a state.
pub(crate) struct Step<S, A> {
    /// What happens.
    pub(crate) action: A,
    /// What the state is then.
    pub(crate) next: S,
    /// Whether it happens by itself, sooner or later: nobody has to die or to be told for it.
    pub(crate) comes_by_itself: bool,
}

/// All states that can be reached, and how.
pub(crate) struct Graph<S, A> {
    states: Vec<S>,
    /// By which action each state was reached first, and from where; the start by none.
    reached: Vec<Option<(usize, A)>>,
    /// The steps that come by themselves, as pairs of states.
    by_themselves: Vec<(usize, usize)>,
}

impl<S: Copy + Eq + Hash, A: Debug> Graph<S, A> {
    /// Explores everything. Fails with the shortest trace to a state that `wrong` names something about.
    pub(crate) fn explore(
        start: S,
        steps: impl Fn(&S) -> Vec<Step<S, A>>,
        wrong: impl Fn(&S) -> Option<&'static str>,
    ) -> Result<Self, String> {
        let mut graph = Self { states: vec![start], reached: vec![None], by_themselves: Vec::new() };
        let mut known = HashMap::from([(start, 0)]);
        let mut at = 0;
        while at < graph.states.len() {
            if let Some(what) = wrong(&graph.states[at]) {
                return Err(graph.trace(at, what));
            }
            for Step { action, next, comes_by_itself } in steps(&graph.states[at]) {
                let to = *known.entry(next).or_insert_with(|| {
                    graph.states.push(next);
                    graph.reached.push(Some((at, action)));
                    graph.states.len() - 1
                });
                if comes_by_itself {
                    graph.by_themselves.push((at, to));
                }
            }
            at += 1;
        }
        Ok(graph)
    }

    /// How many states there are.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether from every state a good one comes by itself. Fails with the shortest trace to a state from which none
    /// does.
    pub(crate) fn always_comes_to(&self, good: impl Fn(&S) -> bool, what: &str) -> Result<(), String> {
        // Backward from the good states; the steps are sorted by where they lead.
        let mut back = self.by_themselves.clone();
        back.sort_unstable_by_key(|(_, to)| *to);
        let mut comes: Vec<bool> = self.states.iter().map(good).collect();
        let mut open: Vec<usize> = (0..comes.len()).filter(|at| comes[*at]).collect();
        while let Some(at) = open.pop() {
            let first = back.partition_point(|(_, to)| *to < at);
            for (from, _) in back[first..].iter().take_while(|(_, to)| *to == at) {
                if !std::mem::replace(&mut comes[*from], true) {
                    open.push(*from);
                }
            }
        }
        comes.iter().position(|comes| !comes).map_or(Ok(()), |at| Err(self.trace(at, what)))
    }

    fn trace(&self, mut at: usize, what: &str) -> String {
        let mut lines = Vec::new();
        while let Some((from, action)) = &self.reached[at] {
            lines.push(format!("{action:?}"));
            at = *from;
        }
        lines.reverse();
        format!("{what}, after:\n{}", lines.join("\n"))
    }
}
