"""Would a takeover by this member work? Facts gathered from EC2, IMDS and this host, and checks over them."""
