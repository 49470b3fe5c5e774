/* A start: launcher, leader and daemon, each of which may be stopped or killed before any of its steps. Beside a step stands
 * the function in daemon-rt/src/start that takes it.
 *
 * A step takes no time. So whoever waits for another runs out of patience only if that is stopped: each limit is longer than
 * the ones within it. `start_timeout` may be over at any time, and a daemon that was asked to end may stay until it is killed.
 * It does not leave the leader's process group.
 */

mtype = { UNBORN, RUNS, STOPPED, ENDED };       /* a process */
mtype = { NOTHING, READY, FAILED, GONE };       /* a word, and what came of something */

#define LAUNCHER 0
#define LEADER 1
#define DAEMON 2

mtype is[3] = UNBORN;
bool is_awaited, notify, respawn;               /* the start. `is_awaited`: the daemon has steps of its own */

mtype word = NOTHING; bool reply, took_back;    /* from the daemon to the leader, and back */
mtype report = NOTHING; bool answer, is_supervised; /* from the leader to the launcher, back, and once more */
bool cannot_speak, cannot_hear;                 /* what of the daemon's line the leader has shut */
bool gave_up, holds_line = true;                /* the launcher has shut its line; the daemon has a copy of the leader's end */

mtype status = NOTHING, ready = NOTHING;        /* the launcher's: 0 is READY; what `ready()` returned: `Ok` is READY */
bool was_ready, left_well, is_late, ignores_ctrl_c, lost_patience;
bool leader_was_killed, daemon_left, was_interrupted;

#define is_there(who) (is[who] == RUNS || is[who] == STOPPED)
#define resumed(who) (is[who] == STOPPED -> RUNS : is[who])
#define killed(who) (is_there(who) -> ENDED : is[who])
#define launcher_hears (is_there(LAUNCHER) && !gave_up)
#define leader_is_silent (is[LEADER] == ENDED && !(holds_line && is_there(DAEMON)))

inline resume_group() { atomic { is[LEADER] = resumed(LEADER); is[DAEMON] = resumed(DAEMON) } }
inline kill_group() { atomic { is[DAEMON] = killed(DAEMON); is[LEADER] = ENDED } }
inline launcher_ends() { is[LEADER] = resumed(LEADER); is[LAUNCHER] = ENDED }        /* process_group::continue_at_end_of_parent */
inline leader_ends() { is[DAEMON] = (respawn -> killed(DAEMON) : is[DAEMON]); is[LEADER] = ENDED } /* process_group::end_with */

active proctype launcher() provided (is[LAUNCHER] == RUNS) {
    if                                                                               /* launcher::receive */
    :: atomic { report == READY -> ignores_ctrl_c = true }
    :: atomic { report == FAILED -> goto end_now }
    :: atomic { report == NOTHING && leader_is_silent -> goto nothing }
    :: atomic { is_late && report == NOTHING -> resume_group() }                     /* report::receive_or_resume */
        if
        :: atomic { report == READY -> ignores_ctrl_c = true }
        :: atomic { report == FAILED -> goto end_now }
        :: atomic { report == NOTHING && is[LEADER] != RUNS -> goto nothing }
        fi
    fi;
    answer = true;                                                                   /* launcher::outcome */
    if
    :: atomic { respawn && is_supervised -> goto told }                              /* launcher::after_ready_under_supervision */
    :: atomic { respawn && !is_supervised && leader_is_silent -> goto leader_failed }
    :: atomic { !respawn && is[LEADER] == ENDED && left_well -> goto told }          /* launcher::after_ready */
    :: atomic { !respawn && is[LEADER] == ENDED && !left_well -> goto leader_failed }
    :: atomic { is[LEADER] == STOPPED -> resume_group() };                           /* launcher::await_end */
        if
        :: atomic { respawn && is_supervised -> goto told }
        :: atomic { !respawn && is[LEADER] == ENDED && left_well -> goto told }
        :: is[LEADER] != RUNS && !is_supervised && !left_well
        fi
    fi;
nothing:
    gave_up = true;
leader_failed:                                                                       /* launcher::leader_failed */
    resume_group();                                                                  /* process_group::terminate */
end_now:                                                                             /* launcher::end_now */
    kill_group();
    atomic { status = FAILED; launcher_ends() };
told:                                                                                /* launcher::wait */
    atomic { assert(was_ready); status = READY; launcher_ends() }
}

active proctype leader() provided (is[LEADER] == RUNS) {
    mtype outcome = NOTHING;
    if
    :: d_step { is[DAEMON] = RUNS; was_ready = !is_awaited }                         /* detach::fork_daemon */
    :: atomic { report = FAILED; leader_ends() }                                     /* report::give_up */
    fi;
    if                                                                               /* leader::first_outcome */
    :: atomic { !is_awaited -> outcome = READY; goto tell }                          /* leader::watch */
    :: atomic { word == READY -> outcome = READY; goto tell }
    :: atomic { word == FAILED -> outcome = FAILED; goto end_group }
    :: atomic { !launcher_hears -> outcome = GONE; goto end_group }
    :: atomic { is_awaited && (is[DAEMON] == ENDED || is_late) -> cannot_speak = true } /* leader::end_or_unreachable */
    fi;
    atomic { if :: word == READY -> outcome = READY :: else -> outcome = FAILED; goto end_group fi }; /* leader::last_word */
tell:
    atomic { if :: launcher_hears -> report = READY :: else -> goto end_group fi };
    if                                                                               /* leader::launcher_knows */
    :: answer
    :: atomic { !answer && !launcher_hears -> goto end_group }
    :: atomic { !answer && is[LAUNCHER] == STOPPED -> lost_patience = true }         /* leader::answers */
    fi;
    atomic { if :: took_back -> leader_ends() :: else -> reply = true fi };          /* leader::answer_ready */
    if
    :: !respawn -> atomic { left_well = true; leader_ends() }
    :: respawn -> is_supervised = true; is[DAEMON] == ENDED; atomic { leader_ends() } /* supervisor::supervise::supervise */
    fi;
end_group:                                                                           /* leader::end_group */
    atomic { cannot_speak = true; cannot_hear = true };
    resume_group();                                                                  /* process_group::terminate */
    is[DAEMON] = killed(DAEMON);                                                     /* leader::end */
    atomic { if :: outcome == FAILED && launcher_hears -> report = FAILED :: else fi }; /* leader::report */
    atomic { leader_ends() }
}

active proctype daemon() provided (is[DAEMON] == RUNS) {
    holds_line = false;                                                              /* detach::lead */
    if
    :: atomic { is_awaited && !cannot_speak && is_there(LEADER) -> word = READY; was_ready = true } /* ready::tell */
    :: atomic { is_awaited && (cannot_speak || !is_there(LEADER)) -> if :: notify -> ready = GONE :: else -> is[DAEMON] = ENDED fi }
    :: atomic { is_awaited -> word = FAILED; is[DAEMON] = ENDED }                    /* prepared::give_up */
    :: !is_awaited || notify -> goto main                                            /* which may never call `ready` */
    fi;
    if                                                                               /* ready::await_answer */
    :: atomic { notify && reply -> ready = READY }
    :: atomic { notify && !reply && (cannot_hear || is[LEADER] == ENDED) -> ready = GONE }
    :: atomic { notify && !reply && is[LEADER] == STOPPED && is[LAUNCHER] != RUNS -> took_back = true; ready = GONE }
    fi;
main:
    false
}

active proctype everybody_else() {
    byte stops = 2;
    atomic {
        if :: true :: is_awaited = true :: is_awaited = true; notify = true fi;
        if :: true :: respawn = true fi;
        is[LEADER] = RUNS; is[LAUNCHER] = RUNS
    };
    do
    :: d_step { is_there(LAUNCHER) -> launcher_ends() }                              /* SIGKILL */
    :: d_step { is_there(LEADER) -> leader_was_killed = true; leader_ends() }
    :: d_step { is_there(DAEMON) -> daemon_left = true; is[DAEMON] = ENDED }         /* or it exits */
    :: d_step { is[LAUNCHER] == RUNS && !ignores_ctrl_c -> was_interrupted = true; launcher_ends() }
    :: d_step { stops > 0 && is[LAUNCHER] == RUNS -> is[LAUNCHER] = STOPPED; stops-- }
    :: d_step { stops > 0 && is[LEADER] == RUNS && is_there(LAUNCHER) -> is[LEADER] = STOPPED; stops-- }
    :: d_step { stops > 0 && is[DAEMON] == RUNS -> is[DAEMON] = STOPPED; stops-- }
    :: d_step { is[LAUNCHER] == STOPPED -> is[LAUNCHER] = RUNS }                     /* nobody continues the others */
    :: d_step { !is_late -> is_late = true }
    :: break
    od;
    is_late = true; is[LAUNCHER] = resumed(LAUNCHER);
    timeout;                                    /* nobody has anything left to do */

    /* Nobody waits for ever, but a daemon that is stopped, and one whose `main` runs. */
    assert(!is_there(LAUNCHER));
    assert(!is_there(LEADER) || is_supervised && is_there(DAEMON));
    assert(is[DAEMON] != RUNS || !notify || word != READY || ready != NOTHING);

    /* Nobody is told a lie: behind a status of 0 is the daemon, unless it ended by itself, or with its supervisor. */
    assert(status != READY || ready != GONE);
    assert(status != READY || is_there(DAEMON) || daemon_left || respawn && leader_was_killed);
    /* What the launcher has answered it takes back only for a leader that was killed, or was stopped again. */
    assert(status != FAILED || !answer || leader_was_killed || stops == 0);

    /* Nobody is left over by a start that failed. */
    assert(status != FAILED || !is_there(DAEMON));
    /* A launcher that was killed tells nobody. There is a daemon then if the launcher had answered, which Ctrl-C cannot prevent
     * any more; or was stopped for too long; or if the leader was killed as well, and then its `ready()` does not return `Ok`. */
    assert(status != NOTHING || !is_there(DAEMON) || answer && !was_interrupted || lost_patience ||
        leader_was_killed && ready != READY)
}
