"""The smallest whole configuration file in its two parts: a group of one ENI, and the pair that shares it."""

GROUP = """\
group = "orders"
[eni]
ids = ["eni-0ffffffffffffff01"]
"""

MEMBERS = """\
[[member]]
name = "alpha"
instance_id = "i-0aaaaaaaaaaaaaaa1"
address = "10.0.1.11"
[[member]]
name = "beta"
instance_id = "i-0bbbbbbbbbbbbbbb2"
address = "10.0.1.12"
"""
