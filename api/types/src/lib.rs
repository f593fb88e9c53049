//! Rialto's vocabulary: resources, ids, snapshots, errors, limits.
