//! How long it takes until the launcher has exited, and until `main` of the daemon begins.
//!
//! Both count from the moment before the program is started. The end of the launcher is seen as its parent sees it,
//! by waitpid(2). The beginning of `main` is read from the clock there, by the first thing that `main` does, and told
//! afterwards by a datagram to an abstract socket: that needs no descriptor, directory or umask of the launcher's, and
//! the same two system calls in every program.

use std::{
    array,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    process::{self, Command, Stdio},
    time::Duration,
};

use super::{
    compile::Compiled,
    descendants::{self, DEADLINE},
    program::{BLIVET, DAEMONIZE, DOUBLE_FORK, Each, PROGRAMS, Program},
};
use crate::{Result, clock::now, quartiles::quartiles, table::Table};

/// Until programs and libraries are in the page cache.
const WARM_UP_ROUNDS: usize = 5;

/// In microseconds, one of each a round.
#[derive(Default)]
pub(super) struct Times {
    launcher_exited: Vec<f64>,
    main_began: Vec<f64>,
}

pub(super) fn measure(compiled: &Compiled, rounds: usize) -> Result<Each<Times>> {
    let ear = Ear::new()?;
    let mut times = Each::<Times>::default();
    for round in 0..WARM_UP_ROUNDS + rounds {
        for index in order(round) {
            let program = &PROGRAMS[index];
            let (launcher_exited, main_began) = start(program, &compiled.telling(program), &ear)?;
            if round >= WARM_UP_ROUNDS {
                times[index].launcher_exited.push(microseconds(launcher_exited));
                times[index].main_began.push(microseconds(main_began));
            }
        }
    }
    Ok(times)
}

/// Every round begins with the next program, and every other one runs backwards: none always follows the same.
fn order(round: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..PROGRAMS.len()).collect();
    order.rotate_left(round % PROGRAMS.len());
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

fn start(program: &Program, path: &Path, ear: &Ear) -> Result<(Duration, Duration)> {
    let (begun, launcher, launcher_exited) = launch(Command::new(path).arg(&ear.name))?;
    let (daemon, main_began) = ear.hear().map_err(|error| format!("{}: {error}", path.display()))?;
    descendants::wait()?;
    if program.detaches {
        assert_ne!(daemon, launcher, "{} did not detach", path.display());
        return Ok((launcher_exited, main_began.saturating_sub(begun)));
    }
    // What it told was told by the launcher itself: once more, without that.
    let (_, _, launcher_exited) = launch(&mut Command::new(path))?;
    Ok((launcher_exited, main_began.saturating_sub(begun)))
}

/// When it began, the launcher's process id, and how long that took to exit.
fn launch(command: &mut Command) -> Result<(Duration, u32, Duration)> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begun = now()?;
    let mut launcher = command.spawn()?;
    let status = launcher.wait()?;
    let exited = now()?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok((begun, launcher.id(), exited.saturating_sub(begun)))
}

/// Hears when `main` began, and in which process.
struct Ear {
    name: String,
    socket: UnixDatagram,
}

impl Ear {
    fn new() -> Result<Self> {
        let name = format!("benchmark-{}", process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { name, socket })
    }

    fn hear(&self) -> Result<(u32, Duration)> {
        let mut report = [0; 64];
        let length = self.socket.recv(&mut report)?;
        let report = std::str::from_utf8(&report[..length])?;
        let (daemon, began) = report.split_once(' ').ok_or("not a report")?;
        Ok((daemon.parse()?, Duration::from_nanos(began.parse()?)))
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

pub(super) fn report(times: &Each<Times>, table: &mut Table) {
    report_one("launcher exited, µs", times.each_ref().map(|times| &times.launcher_exited), table);
    report_one("main began, µs", times.each_ref().map(|times| &times.main_began), table);
}

fn report_one(title: &str, times: Each<&Vec<f64>>, table: &mut Table) {
    let quartiles = times.map(|times| quartiles(times.clone()));
    let medians = quartiles.map(|[_, median, _]| median);
    let adds: Each<_> =
        array::from_fn(|own| PROGRAMS[own].detaches.then(|| medians[own] - medians[PROGRAMS[own].empty()]));
    let adds_over = |other: usize| adds.map(|own| Some(format!("{:.2}", own? / adds[other]?)));
    table.row(title, medians.map(|median| Some(format!("{median:.0}"))));
    table.row("  quartiles", quartiles.map(|[low, _, high]| Some(format!("{low:.0}–{high:.0}"))));
    table.row("  adds", adds.map(|adds| Some(format!("{:.0}", adds?))));
    table.row("  adds, over daemonize", adds_over(DAEMONIZE));
    table.row("  adds, over blivet", adds_over(BLIVET));
    table.row("  adds, over C", adds_over(DOUBLE_FORK));
}
