//! Every criterion for every program, several at a time.

use std::{
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
    sync::Mutex,
    thread,
};

use crate::{
    criteria::{CRITERIA, Criterion},
    program::Program,
    verdict::{Verdict, not_met},
};

/// Most of the time, everybody waits.
const AT_A_TIME: usize = 6;

/// For each program the verdicts by [`CRITERIA`], in their order.
pub(crate) fn all(programs: &[&Program]) -> Vec<Vec<Verdict>> {
    let tasks = Mutex::new(tasks(programs));
    let verdicts = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(task) = pop(&tasks) {
                    for (program, criterion) in task {
                        let verdict = look(&CRITERIA[criterion], programs[program]);
                        verdicts.lock().expect("the verdicts").insert((program, criterion), verdict);
                    }
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().expect("the verdicts").into_values();
    programs.iter().map(|_| verdicts.by_ref().take(CRITERIA.len()).collect()).collect()
}

fn look(criterion: &Criterion, program: &Program) -> Verdict {
    // Code that speaks to a daemon that is gone panics.
    let verdict = panic::catch_unwind(AssertUnwindSafe(|| (criterion.look)(program)));
    verdict.unwrap_or_else(|_| not_met("main does not answer"))
}

/// What is done one after the other: pairs of program and criterion. The longest is last, and taken first.
fn tasks(programs: &[&Program]) -> Vec<Vec<(usize, usize)>> {
    let mut tasks = Vec::new();
    for (program, _) in programs.iter().enumerate() {
        let criteria = (0..CRITERIA.len()).map(|criterion| (program, criterion));
        if programs[program].runs_alone() {
            tasks.push(criteria.collect());
        } else {
            tasks.extend(criteria.map(|criterion| vec![criterion]));
        }
    }
    tasks.sort_by_key(Vec::len);
    tasks
}

fn pop<T>(tasks: &Mutex<Vec<T>>) -> Option<T> {
    tasks.lock().expect("the tasks").pop()
}
