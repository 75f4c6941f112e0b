"""The program's entry: `eni-failover` and `python -m eni_failover`."""
