//! The ways to wait for a request to stop.

use std::{
    error::Error,
    fs::File,
    iter,
    os::fd::{AsFd, AsRawFd},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
    thread::{self, JoinHandle, Thread},
    time::Duration,
};

use daemon_rt::{StopRequested, stop_requested};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::resource::{Resource, getrlimit, setrlimit},
};
use tokio::runtime::Builder;

type Failure = Box<dyn Error>;

/// What `setup` or `main` listened by first.
static STOP: Mutex<Option<StopRequested>> = Mutex::new(None);

static AWAITING: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);

static IS_WOKEN: AtomicBool = AtomicBool::new(false);

const MANY: usize = 20;

pub(crate) fn listen() -> Result<(), Failure> {
    let stop = stop_requested()?;
    STOP.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
    Ok(())
}

pub(crate) fn listen_in_threads() -> Result<(), Failure> {
    let threads: Vec<_> = (0..MANY).map(|_| thread::spawn(stop_requested)).collect();
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread")?.map(drop).map_err(Into::into))
}

pub(crate) fn is_requested() -> bool {
    STOP.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(StopRequested::is_set)
}

/// By the descriptor of what it listened by first.
pub(crate) fn is_readable() -> Result<bool, Failure> {
    let stop = STOP.lock().unwrap_or_else(PoisonError::into_inner);
    let stop = stop.as_ref().ok_or("nobody listens")?;
    Ok(poll(&mut [PollFd::new(stop.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO)? == 1)
}

/// As a program that debugs itself shows it; and whether its number is that of its descriptor.
pub(crate) fn show() -> Result<String, Failure> {
    let stop = clone()?;
    Ok(format!("{stop:?} {}", stop.as_raw_fd() == stop.as_fd().as_raw_fd()))
}

fn clone() -> Result<StopRequested, Failure> {
    listen()?;
    let stop = STOP.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(stop.ok_or("nobody listens")?)
}

/// For example in the runtime of a `setup`, which gives up after that time.
pub(crate) fn await_for(time: Duration) -> Result<(), Failure> {
    let stop = clone()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _ = runtime.block_on(async { tokio::time::timeout(time, stop).await });
    Ok(())
}

/// In a thread that does nothing else.
pub(crate) fn begin_to_await() {
    let thread = thread::spawn(|| clone().map_or((), block_on));
    *AWAITING.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
}

pub(crate) fn is_awaited() -> bool {
    AWAITING.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|thread| !thread.is_finished())
}

/// In a thread, by what it listened by first and no clone of it.
pub(crate) fn wait_by_first() -> Result<(), Failure> {
    let stop = STOP.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or("nobody listens")?;
    thread::spawn(move || stop.wait()).join().map_err(|_| "a thread")?;
    Ok(())
}

/// Where nothing can be opened, and so no thread started.
pub(crate) fn await_without_descriptors() -> Result<(), Failure> {
    let stop = clone()?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard)?;
    block_on(stop);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(())
}

/// Asks as two tasks, one after the other, and waits for the second to be woken.
pub(crate) fn ask_once() -> Result<(), Failure> {
    struct Notes;
    impl Wake for Notes {
        fn wake(self: Arc<Self>) {
            IS_WOKEN.store(true, SeqCst);
        }
    }
    let mut asked = Box::new(clone()?);
    for waker in [Waker::noop().clone(), Arc::new(Notes).into()] {
        let _ = Pin::new(&mut *asked).poll(&mut Context::from_waker(&waker));
    }
    Box::leak(asked);
    Ok(())
}

pub(crate) fn is_woken() -> bool {
    IS_WOKEN.load(SeqCst)
}

/// It is woken after another one whose waker panics.
pub(crate) fn await_beside_a_panic() -> Result<(), Failure> {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("it cannot be woken");
        }
    }
    let mut first = clone()?;
    let _ = Pin::new(&mut first).poll(&mut Context::from_waker(&Arc::new(Panics).into()));
    block_on(clone()?);
    Ok(())
}

/// With only that many free descriptors. Returns whether the program listens.
pub(crate) fn listen_with(free: usize) -> Result<bool, Failure> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard)?;
    let mut all: Vec<_> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
    all.truncate(all.len().saturating_sub(free));
    let listens = listen().is_ok();
    drop(all);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(listens)
}

/// Returns when the request is made.
pub(crate) fn await_by(form: &str) -> Result<(), Failure> {
    let mut stop = clone()?;
    match form {
        "wait" => stop.wait(),
        "wait-timeout" => while !stop.wait_timeout(Duration::from_millis(3)) {},
        "wait-timeout-once" => {
            if stop.wait_timeout(Duration::from_millis(10)) {
                return Err("nobody asked".into());
            }
        }
        "flag" => {
            while !stop.is_set() {
                thread::sleep(Duration::from_millis(3));
            }
        }
        "poll" => {
            let mut fds = [PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
            while !matches!(poll(&mut fds, PollTimeout::NONE), Ok(1)) {}
        }
        "tokio" => Builder::new_current_thread().enable_all().build()?.block_on(stop),
        "tokio-threads" => {
            let stops: Vec<_> = (0..MANY).map(|_| stop.clone()).collect();
            Builder::new_multi_thread().enable_all().build()?.block_on(async {
                let tasks: Vec<_> = stops.into_iter().map(tokio::spawn).collect();
                for task in tasks {
                    let _ = task.await;
                }
            });
        }
        "tokio-select" => Builder::new_current_thread().enable_all().build()?.block_on(async {
            loop {
                tokio::select! {
                    () = &mut stop => break,
                    () = tokio::time::sleep(Duration::from_millis(3)) => {}
                }
            }
        }),
        // A second one on the same number is refused.
        "async-descriptors" => {
            let [one, other] = [smol::Async::new(stop.clone())?, smol::Async::new(stop)?];
            smol::block_on(async { one.readable().await.and(other.readable().await) })?;
        }
        "smol" => smol::block_on(async {
            let executor = smol::Executor::new();
            let tasks: Vec<_> = (0..MANY).map(|_| executor.spawn(stop.clone())).collect();
            executor
                .run(async {
                    for task in tasks {
                        task.await;
                    }
                })
                .await;
        }),
        "block-on" => block_on(stop),
        // Each with a thread of its own, by every other way.
        "threads" => {
            let wait = |index: usize, stop: StopRequested| {
                thread::spawn(move || if index & 1 == 0 { stop.wait() } else { block_on(stop) })
            };
            let threads: Vec<_> = (0..MANY).map(|index| wait(index, stop.clone())).collect();
            threads.into_iter().try_for_each(std::thread::JoinHandle::join).map_err(|_| "a thread")?;
        }
        other => return Err(format!("unknown form {other}").into()),
    }
    Ok(())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}
