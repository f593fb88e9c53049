//! The east-west gateway: capture, tunnel, relay, balancing, enforcement.
