//! The DNS proxy: federated names to virtual IPs, everything else forwarded.
