//! What crosses Rialto's borders: gRPC, REST, clients, mutual TLS.
