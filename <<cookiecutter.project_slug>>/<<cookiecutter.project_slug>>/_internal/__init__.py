"""The machinery, kept by Plinth.

An update replaces it, so edit the modules above this folder instead. Nothing here imports them, and
the packages build on each other in the order of this list.

    begin                       importing it begins the log
    context                     the current request and its trace
    early                       signals and failing imports before the log begins, for `python -m`
    platforms                   what Windows lacks
    version                     the version of the service
    upstream                    ends the start if a package lacks what this one needs of it
    overrides                   checks and installs subclasses of another package's classes

    log/                        from a record to a line
        setup                   when the log begins, and with which settings
        fields                  the fields of a line
        sink                    where Loguru's records end up
        lines                   fields to JSON, at most 16 kB
        stream                  standard error; a stalled reader never blocks the service
        blocking_stream         the same for Windows, where it does
        levels                  which records are written
        formats                 JSON, or what a developer reads
        terminal                a line in another format, in colours
        console, pretty         these formats
        palette                 their colours
        loguru_patch            log calls that never raise
        capture                 the standard library's logging, warnings, uncaught exceptions
        record_messages         messages of the standard library's records
        first_lines             lines where the log has not begun
        timestamps              RFC 3339
        cache                   results that short texts ask for again
        jsonable                any value to JSON types, redacted and truncated
        names, numbers          names and numbers that JSON can hold
        texts                   texts that a line can hold: truncated, redacted, encodable
        tracebacks              an exception to text
        source_redaction        source lines of tracebacks
        library_code            code of the service or of a library
        secret_names            which names are secret
        redaction               secrets in text by name, in URLs, private keys
        named_secrets           values behind secret names
        values_in_text          where a value in text ends
        url_credentials         passwords in URLs
        known_secrets           secrets that an object holds
        scrubbing               known secrets in text

    settings/                   settings from the environment and `.env`
        environment             the base class of settings
        secret_files            secrets in files: `…_FILE`
        errors                  what is wrong with an invalid setting
        fields                  the variables and types of settings
        service                 the settings of every service

    asgi/                       requests and WebSockets
        request_log             the middleware around the application
        stack                   middleware outside of everything in an application
        exchange                what requests and WebSockets have in common
        http_exchange           one request, measured to its last byte
        websocket_exchange      one WebSocket connection
        broken_responses        responses that break off inside of other middleware
        request_fields          what a line says of a request
        request_ids             random ids
        trace_context           the trace that a request came with
        hooks                   called for every request
        proxies                 the client behind trusted proxies
        lifespan                start-up and shutdown in the log
        readiness               whether requests can be taken

    server/                     the server in this process
        process                 starts a server, handles signals, returns the exit code
        shutdown                the graceful shutdown
        in_flight               the tasks of requests in flight
        listener                the port
        application             imports the application
        parent_watch            ends with `make dev`
        settings                the settings that a server needs
        connections             what a graceful shutdown needs of a server
"""
