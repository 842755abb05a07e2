"""Everything an MTA, a browser or an operator can ask the daemon through a socket.

Imports nothing: `mxheed bypass` lives here too and must start when nothing else can.
"""
