"""The daemon and its commands: everything that has a socket, a clock, a file or a process."""
