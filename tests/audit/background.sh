#!/bin/sh
# No daemon, but a program in the background of a shell, whatever the options ask for: background.sh PROGRAM [OPTION]...
# An audit that found no fault with it would find none at all.
("$1" & wait) &
