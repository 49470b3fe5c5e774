//! Who else in a program may listen for a signal: SIGHUP, unless it is named.

use std::{
    error::Error,
    pin::pin,
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use nix::{
    errno::Errno,
    libc,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    time::timeout,
};

static HEARD: AtomicU32 = AtomicU32::new(0);

static TOKIO: Mutex<Option<(Runtime, tokio::signal::unix::Signal)>> = Mutex::new(None);

/// Installs one, by the name of its library or call, and behind a space that of the signal.
pub(crate) fn listen(listener: &str) -> Result<(), Box<dyn Error>> {
    let (name, number) = listener.split_once(' ').unwrap_or((listener, "SIGHUP"));
    let number = Signal::from_str(number)?;
    let action = match name {
        "signal-hook" => {
            // SAFETY: the action is async-signal-safe.
            unsafe { signal_hook::low_level::register(number as libc::c_int, || _ = HEARD.fetch_add(1, SeqCst)) }?;
            return Ok(());
        }
        "tokio" => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let signal = runtime.block_on(async { signal(SignalKind::from_raw(number as libc::c_int)) })?;
            *TOKIO.lock().unwrap_or_else(PoisonError::into_inner) = Some((runtime, signal));
            return Ok(());
        }
        "ctrlc" => return Ok(ctrlc::set_handler(|| _ = HEARD.fetch_add(1, SeqCst))?),
        "try-ctrlc" => return Ok(ctrlc::try_set_handler(|| _ = HEARD.fetch_add(1, SeqCst))?),
        "sigaction" => SigAction::new(SigHandler::Handler(plain), SaFlags::SA_RESTART, SigSet::empty()),
        "informed-sigaction" => {
            SigAction::new(SigHandler::SigAction(informed), SaFlags::SA_RESTART | SaFlags::SA_SIGINFO, SigSet::empty())
        }
        "allocating" => SigAction::new(
            SigHandler::SigAction(allocating),
            SaFlags::SA_RESTART | SaFlags::SA_SIGINFO,
            SigSet::empty(),
        ),
        "ignore" => SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty()),
        other => return Err(format!("unknown listener {other}").into()),
    };
    // SAFETY: the handlers are async-signal-safe.
    unsafe { sigaction(number, &action) }?;
    Ok(())
}

/// How often it was heard; by tokio, which may take several for one, since the last question.
pub(crate) fn heard() -> u32 {
    let mut tokio = TOKIO.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((runtime, signal)) = &mut *tokio else { return HEARD.load(SeqCst) };
    let received = runtime.block_on(async {
        let receive = pin!(signal.recv());
        timeout(Duration::from_millis(20), receive).await
    });
    u32::from(received == Ok(Some(())))
}

extern "C" fn plain(signal: libc::c_int) {
    if [libc::SIGHUP, libc::SIGTERM, libc::SIGINT, libc::SIGUSR2].contains(&signal) {
        HEARD.fetch_add(1, SeqCst);
    }
    Errno::set_raw(54321);
}

/// What no handler may do.
extern "C" fn allocating(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    std::hint::black_box(Box::new(HEARD.load(SeqCst)));
}

extern "C" fn informed(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over both.
    let is_sent = unsafe { info.as_ref() }.is_some_and(|info| info.si_signo == signal && info.si_code == libc::SI_USER);
    if is_sent && !context.is_null() {
        HEARD.fetch_add(1, SeqCst);
    }
}
