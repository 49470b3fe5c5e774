//! What a stop costs: the time from its call until it returns, against the time that the daemon itself takes to exit.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use daemon_rt::PidFile;
use nix::{sys::wait::waitpid, unistd::Pid};
use support::Stage;

use crate::{
    Result,
    clock::now,
    quartiles::{median, quartiles},
    table::Table,
};

/// Until programs and libraries are in the page cache.
const WARM_UP_ROUNDS: usize = 3;

/// Before SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);

/// The argument with which this program is a process of its own that stops a daemon.
pub(crate) const STOP: &str = "--stop";

struct Way {
    title: &'static str,
    stop: fn(&Path) -> Result<()>,
}

const WAYS: [Way; 4] = [
    Way { title: "PidFile::stop", stop: call },
    Way { title: "in a process", stop: in_a_process },
    Way { title: "start-stop-daemon", stop: start_stop_daemon },
    Way { title: "kill, sleep 0.1", stop: polling_loop },
];

/// How long a daemon takes to exit once it is told to; on SIGTERM's default action, where nothing is said.
const DAEMONS: [(&str, Option<Duration>); 2] =
    [("exits at once, ms", None), ("takes 20 ms, ms", Some(Duration::from_millis(20)))];

/// In milliseconds from the call, one of each a round.
#[derive(Default)]
struct Times {
    exited: Vec<f64>,
    returned: Vec<f64>,
    late: Vec<f64>,
}

pub(crate) fn measure(quick: bool, table: &mut Table) -> Result<()> {
    let rounds = if quick { 10 } else { 200 };
    table.heading(&format!("stop ({rounds} rounds)"), WAYS.map(|way| way.title));
    let probe = probe()?;
    for (title, takes) in DAEMONS {
        report(title, &times(&probe, takes, rounds)?, table);
    }
    Ok(())
}

/// Built of the package `tests`.
fn probe() -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target directory")?;
    let build = ["build", "--quiet", "--release", "--package", "tests", "--bin", "probe", "--target-dir"];
    run(Command::new(env!("CARGO")).args(build).arg(target).current_dir(env!("CARGO_MANIFEST_DIR")))?;
    Ok(target.join("release/probe"))
}

/// In the process that this program is when it is started to stop a daemon.
pub(crate) fn call_on(pidfiles: &[String]) -> Result<()> {
    pidfiles.iter().try_for_each(|pidfile| call(pidfile.as_ref()))
}

fn times(probe: &Path, takes: Option<Duration>, rounds: usize) -> Result<[Times; WAYS.len()]> {
    let mut times: [Times; WAYS.len()] = Default::default();
    for round in 0..WARM_UP_ROUNDS + rounds {
        for (way, times) in WAYS.iter().zip(&mut times) {
            let (exited, returned) = stop(probe, way, takes)?;
            if round >= WARM_UP_ROUNDS {
                times.exited.push(exited);
                times.returned.push(returned);
                times.late.push(returned - exited);
            }
        }
    }
    Ok(times)
}

/// When a daemon exited, and when the stop returned. The daemon is a child by then, whose end waitpid(2) tells at once.
fn stop(probe: &Path, way: &Way, takes: Option<Duration>) -> Result<(f64, f64)> {
    let stage = Stage::new();
    let mut options = vec!["--pidfile", "pid"];
    options.extend(takes.and(Some(["--ignore-signal", "SIGTERM"])).into_iter().flatten());
    let launch = stage.launch(stage.command(probe).args(options));
    assert_eq!(launch.status, 0, "{}", launch.stderr);
    let mut daemon = stage.daemon();
    let process = Pid::from_raw(daemon.process.0);
    thread::scope(|scope| {
        let watch = scope.spawn(move || -> Result<Duration> {
            if let Some(time) = takes {
                thread::sleep(time);
                daemon.send("exit 0");
            }
            waitpid(process, None)?;
            now()
        });
        let begun = now()?;
        (way.stop)(&stage.path("pid"))?;
        let returned = now()?;
        let exited = watch.join().map_err(|_| "the watch failed")??;
        Ok((milliseconds(begun, exited), milliseconds(begun, returned)))
    })
}

fn milliseconds(from: Duration, to: Duration) -> f64 {
    (to.as_secs_f64() - from.as_secs_f64()) * 1e3
}

fn call(pidfile: &Path) -> Result<()> {
    PidFile::new(pidfile).stop(PATIENCE)?;
    Ok(())
}

fn in_a_process(pidfile: &Path) -> Result<()> {
    run(Command::new(env::current_exe()?).arg(STOP).arg(pidfile))
}

fn start_stop_daemon(pidfile: &Path) -> Result<()> {
    run(Command::new("start-stop-daemon").args(["--stop", "--retry=TERM/5/KILL/5", "--pidfile"]).arg(pidfile))
}

/// As init scripts have it.
fn polling_loop(pidfile: &Path) -> Result<()> {
    let script = r#"pid=$(cat "$1"); kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done"#;
    run(Command::new("sh").args(["-c", script, "sh"]).arg(pidfile))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn report(title: &str, times: &[Times; WAYS.len()], table: &mut Table) {
    let medians = |values: fn(&Times) -> &Vec<f64>| {
        times.each_ref().map(|times| Some(format!("{:.2}", median(values(times).clone()))))
    };
    table.row(title, []);
    table.row("  process exited", medians(|times| &times.exited));
    table.row("  stop returned", medians(|times| &times.returned));
    table.row("  later than the exit", medians(|times| &times.late));
    let quartiles = times.each_ref().map(|times| quartiles(times.late.clone()));
    table.row("    quartiles", quartiles.map(|[low, _, high]| Some(format!("{low:.2}–{high:.2}"))));
}
