"""The command line: parse, ask, print, exit.

Owns the commands' options, their output and their exit status. Must not decide anything about a group
and never calls EC2: it reads files, the journal, and the daemon's control socket. This file imports
nothing, so that `run` starts without typer and rich; `app` is the door for every other command.
"""
