//! Metrics and tracing as a tower layer for HTTP clients, in the words of OpenTelemetry.
