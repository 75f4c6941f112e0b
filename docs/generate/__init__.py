"""What `make docs` writes: the configuration reference, the manual page, the files for shell completion.

Owns no facts: they come from the configuration's models, the commented example and the command line.
A developer's tool: nothing of it is installed, and the daemon does not know it.
"""
