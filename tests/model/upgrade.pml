/* An upgrade: the old supervisor, the launcher that it executes, and that one's leader, which becomes the new supervisor. Of them
 * and their daemons any two may be killed, or end, and one stopped, before any of their steps, while somebody stops the service.
 * Beside a step stands the function in daemon-rt/src/start that takes it. How a daemon gets ready is in start.pml.
 *
 * As there, a step takes no time, and whoever waits for another runs out of patience only if that is stopped. The old daemon
 * ends some time after it was asked to. Whoever stops the service asks the process that the pidfile names at that moment.
 */

mtype = { UNBORN, RUNS, STOPPED, ENDED };       /* a process */
mtype = { NOTHING, NUMBER, CONFIRMED };         /* what the new supervisor says to the old one */
mtype = { DONE, FAILED };                       /* what whoever asked for the upgrade is told */

#define OLD 0
#define OLD_DAEMON 1
#define LAUNCHER 2
#define NEW 3
#define NEW_DAEMON 4

mtype is[5] = UNBORN;
byte pidfile = OLD;

mtype word = NOTHING;                           /* on the line to the old supervisor, */
bool may, let_go;                               /* and back */
bool is_named;                                  /* the old one knows the number */
bool reported, answered, is_supervised;         /* between the new one and its launcher */

mtype told = NOTHING;
bool is_asked[5];                               /* to stop */
bool was_asked, is_stopped;                     /* whoever stops the service has asked, and is told that it has ended */
bool was_killed, daemon_left;                   /* a supervisor by somebody; a daemon by itself */

#define is_there(who) (is[who] == RUNS || is[who] == STOPPED)
#define resumed(who) (is[who] == STOPPED -> RUNS : is[who])
#define killed(who) (is_there(who) -> ENDED : is[who])
#define is_shut (told == FAILED || is[OLD] == ENDED)
#define is_closed (is[NEW] == ENDED && is[LAUNCHER] == ENDED)

inline old_ends() { atomic { is[OLD_DAEMON] = killed(OLD_DAEMON); is[LAUNCHER] = killed(LAUNCHER); is[OLD] = ENDED } }
inline new_ends() { atomic { is[NEW_DAEMON] = killed(NEW_DAEMON); is[NEW] = ENDED } } /* process_group::end_with */
inline ask(who) { atomic { is_asked[who] = true; is[who] = resumed(who) } }          /* supervisor::supervise::send */
inline give_up() {                                                                   /* supervisor::supervise::give_up */
    is[LAUNCHER] = killed(LAUNCHER);                                                 /* supervisor::upgrade::end */
    if
    :: is_named -> new_ends(); pidfile = OLD                                         /* supervisor::upgrade::has_named_successor */
    :: !is_named
    fi;
    told = FAILED
}

active proctype old() provided (is[OLD] == RUNS) {
    bool is_stopping;
    is[LAUNCHER] = RUNS;                                                             /* supervisor::upgrade::begin */
    do                                                                               /* supervisor::supervise::await_end */
    :: atomic { told == NOTHING && !is_named && word == NUMBER && !is_closed ->      /* supervisor::upgrade::answer */
        is_named = true; may = true }
    :: atomic { told == NOTHING && word == CONFIRMED -> told = DONE };               /* supervisor::upgrade::advance */
        is_asked[OLD_DAEMON] = true
    :: told == NOTHING && is_named && word != CONFIRMED && is_closed -> give_up()
    :: told == NOTHING && !is_named -> give_up()                                     /* supervisor::upgrade::deadline */
    :: atomic { told == NOTHING && is_named && word != CONFIRMED && is[NEW] == STOPPED -> is[NEW] = RUNS }
    :: atomic { is_asked[OLD] && !is_stopping -> is_stopping = true };               /* supervisor::supervise::take_stopping */
        if
        :: told == DONE -> ask(NEW)
        :: told == NOTHING -> give_up()
        :: told == FAILED
        fi;
        is_asked[OLD_DAEMON] = true
    :: atomic { told == DONE && is_closed && is_there(OLD_DAEMON) -> is[OLD_DAEMON] = ENDED } /* supervisor::upgrade::has_ended */
    :: is[OLD_DAEMON] == ENDED -> break
    od;
    if                                                                               /* supervisor::supervise::leave */
    :: told == NOTHING -> give_up()
    :: told == DONE && is_asked[OLD] -> ask(NEW); let_go = true; is_closed           /* supervisor::supervise::leave_to */
    :: else
    fi;
    old_ends()
}

active proctype launcher() provided (is[LAUNCHER] == RUNS) {
    is[NEW] = RUNS;                                                                  /* detach::detach */
    if                                                                               /* launcher::outcome */
    :: reported -> answered = true
    :: !reported && is[NEW] == ENDED -> goto over
    fi;
    if                                                                               /* launcher::after_ready_under_supervision */
    :: is_supervised -> goto over
    :: !is_supervised && is[NEW] == ENDED
    :: atomic { !is_supervised && is[NEW] == STOPPED -> is[NEW] = RUNS };
        if :: is_supervised -> goto over :: !is_supervised && is[NEW] != RUNS fi
    fi;
    ask(NEW);                                                                        /* launcher::leader_failed */
    is[NEW_DAEMON] = killed(NEW_DAEMON);
    new_ends();
over:
    atomic { is[LAUNCHER] = ENDED }
}

active proctype new() provided (is[NEW] == RUNS) {
    if
    :: is[NEW_DAEMON] = RUNS
    :: goto end_group
    fi;
    reported = true;                                                                 /* leader::watch */
    if                                                                               /* leader::launcher_knows */
    :: answered
    :: !answered && is[LAUNCHER] == ENDED -> goto end_group
    :: !answered && is[LAUNCHER] == STOPPED
    fi;
    atomic { if :: is_shut -> goto end_group :: else -> word = NUMBER fi }; /* supervisor::handover::ask */
    if
    :: may
    :: !may && is_shut -> goto end_group
    :: !may && is[OLD] == STOPPED -> goto end_group
    fi;
    pidfile = NEW;                                                                   /* supervisor::take_over */
    atomic { if :: is_shut -> goto end_group :: else -> word = CONFIRMED fi };       /* supervisor::handover::confirm */
    is_supervised = true;                                                            /* supervisor::supervise::supervise */
    if
    :: is_asked[NEW] -> is[NEW_DAEMON] = killed(NEW_DAEMON)
    :: is[NEW_DAEMON] == ENDED
    fi;
    let_go || is[OLD] == ENDED;                                                      /* supervisor::supervise::await_predecessor */
end_group:                                                                           /* leader::end_group */
    new_ends()
}

active proctype whoever_stops_it() {
    byte who;
    if :: goto over :: true fi;
    atomic { who = pidfile; was_asked = true; ask(who) };                            /* crate::pidfile::actions::stop */
    is[who] == ENDED;
    assert(was_killed || !is_there(OLD_DAEMON) && !(is_supervised && is_there(NEW_DAEMON)));
    is_stopped = true;
over:
    skip
}

active proctype everybody_else() {
    byte stops = 1, kills = 2;
    atomic { is[OLD_DAEMON] = RUNS; is[OLD] = RUNS };
    do
    :: atomic { kills > 0 && is_there(OLD) -> kills--; was_killed = true; old_ends() }
    :: atomic { kills > 0 && is_there(NEW) -> kills--; was_killed = true; new_ends() }
    :: atomic { kills > 0 && is_there(LAUNCHER) -> kills--; is[LAUNCHER] = ENDED }
    :: atomic { kills > 0 && is_there(OLD_DAEMON) -> kills--; daemon_left = true; is[OLD_DAEMON] = ENDED }
    :: atomic { kills > 0 && is_there(NEW_DAEMON) -> kills--; daemon_left = true; is[NEW_DAEMON] = ENDED }
    :: atomic { stops > 0 && is[OLD] == RUNS -> stops--; is[OLD] = STOPPED }
    :: atomic { stops > 0 && is[NEW] == RUNS -> stops--; is[NEW] = STOPPED }
    :: atomic { stops > 0 && is[LAUNCHER] == RUNS -> stops--; is[LAUNCHER] = STOPPED }
    :: atomic { is[OLD] == STOPPED -> is[OLD] = RUNS }
    :: atomic { is[NEW] == STOPPED -> is[NEW] = RUNS }
    :: atomic { is[LAUNCHER] == STOPPED -> is[LAUNCHER] = RUNS }
    :: break
    od;
    atomic { is[OLD] = resumed(OLD); is[NEW] = resumed(NEW); is[LAUNCHER] = resumed(LAUNCHER) };
    do
    :: atomic { is_asked[OLD_DAEMON] && is_there(OLD_DAEMON) -> is[OLD_DAEMON] = ENDED } /* when it has served its last request */
    :: timeout -> break                         /* nobody has anything left to do */
    od;

    /* Nobody waits for ever, and nobody is left over. */
    assert(!is_there(LAUNCHER));
    assert(is_there(OLD) == is_there(OLD_DAEMON) && is_there(NEW) == is_there(NEW_DAEMON));
    /* There is one generation or none, and the pidfile names it. */
    assert(!(is_there(OLD) && is_there(NEW)));
    assert(!is_there(OLD) || pidfile == OLD && told == FAILED);
    assert(!is_there(NEW) || pidfile == NEW && (told == DONE || was_killed));
    /* Nobody is told a lie. A supervisor that is killed with SIGKILL can tell nobody. */
    assert(told != NOTHING || was_killed);
    assert(told != DONE || is_there(NEW) || daemon_left || was_killed || was_asked);
    assert(told != FAILED || is_there(OLD) || daemon_left || was_killed || was_asked);
    assert(!is_stopped || was_killed || !is_there(OLD) && !is_there(NEW))
}
