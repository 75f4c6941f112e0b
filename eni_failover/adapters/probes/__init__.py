"""The probes: one file for each way to ask, one call shape (`probe.Probe`) for all.

This module imports none of them, so that the configuration can load `spec` without aiohttp.
"""
