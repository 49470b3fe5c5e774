"""python-daemon, as its documentation has it, with the options of the auditor."""

import grp
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time

import daemon
from daemon.pidfile import TimeoutPIDLockFile

UNKNOWN_OPTION = 99

stop = threading.Event()


def read_options(arguments):
    options = {}
    while arguments:
        option, *arguments = arguments
        if option == "--thread":
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            continue
        if option == "--stop-requested":
            options["signal_map"] = {signal.SIGTERM: lambda number, frame: stop.set()}
            continue
        value, *arguments = arguments or [None]
        if option == "--pidfile":
            options["pidfile"] = TimeoutPIDLockFile(value, 0)
        elif option == "--stdout" and not value.startswith("rotate:"):
            options["stdout"] = options["stderr"] = open(value, "a+")
        elif option == "--umask":
            options["umask"] = int(value, 8)
        elif option == "--chdir":
            options["working_directory"] = value
        elif option == "--user":
            options["uid"], options["initgroups"] = pwd.getpwnam(value).pw_uid, True
        elif option == "--group":
            options["gid"] = grp.getgrnam(value).gr_gid
        elif option == "--print":
            sys.stdout.write(value)
        elif option == "--detach":
            pass  # it knows init and inetd by itself
        else:
            sys.exit(UNKNOWN_OPTION)
    return options


def serve():
    """Tells the auditor that `main` has begun, and obeys one command a line."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["PROBE_SOCKET"])
    lines = connection.makefile("r")
    said = f"pid={os.getpid()}"
    while True:
        connection.sendall(f"{said}\n.\n".encode())
        word, _, rest = lines.readline().rstrip("\n").partition(" ")
        said = ""
        if word == "":
            os._exit(0)  # the audit is over
        elif word == "return":
            return
        elif word == "exit":
            sys.exit(int(rest))
        elif word == "stdout":
            print(rest, flush=True)
        elif word == "stderr":
            print(rest, file=sys.stderr, flush=True)
        elif word == "await-stop":
            stop.wait()
        elif word == "spawn":
            said = str(subprocess.Popen(["sleep", "1000"]).pid)
        elif word == "variable":
            said = os.environ.get(rest, "")
        elif word == "open-terminal":
            os.close(os.open(rest, os.O_RDWR))
        elif word != "ready":
            sys.exit(f"unknown command {word}")


with daemon.DaemonContext(**read_options(sys.argv[1:])):
    serve()
