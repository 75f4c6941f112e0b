"""Moves a floating EC2 network interface to a standby when its holder is down."""

__version__ = "0.1.0"
