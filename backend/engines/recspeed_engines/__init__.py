"""Reference engines: each trains the network of a spec in its own framework, behind the lab's protocol."""
