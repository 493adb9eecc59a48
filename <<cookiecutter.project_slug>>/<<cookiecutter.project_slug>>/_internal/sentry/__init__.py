"""Events for Sentry, made from the records of the log.

reporting           which records become events
before_send         the SDK's hooks: complete and redact each event
events              what an event holds
exceptions          exceptions as parts of an event
reported            what is remembered of a request
isolation           the middleware around a request
flushing            sends events before the process ends
"""
