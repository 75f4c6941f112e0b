"""The pure core: arithmetic on frozen values.

Contract: `decide.step(state, observation, policy) -> (state, decision)`. Same inputs, same
outputs. There is no clock, no log, no await and no randomness here; the time and the jitter are
fields of the observation.
"""
