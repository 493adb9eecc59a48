"""Structured logging: records, redaction, tracebacks and the output stream."""
