"""Logs: an event name and fields, on stderr; JSON lines, or coloured text where stderr is a terminal.

stdout belongs to the programs' contract (`ready …`). Records of libraries (tornado, sqlalchemy …) go the same way. Rule:
no credential is ever written, whoever logs it: values of telling keys and passwords inside URLs are replaced.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Final, Literal, TextIO, TypeAlias

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

REDACTED: Final = "[redacted]"
_SECRET_KEY: Final = re.compile(r"passcode|password|passwd|authorization|secret|token|cookie", re.IGNORECASE)
# Possessive and bounded: texts of clients are logged, and 80 kB of `://a:` would take 17 s.
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^\s:/@]*+):[^\s@]{1,512}+(?=@)")
_HEADER_IN_TEXT: Final = re.compile(r"(?i)\b(passcode|password|authorization)(\s*[:=]\s*)[^\r\n,;]+")


def configure_logs(level: LogLevel = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process; call once, before anything logs."""
    output = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if output.isatty():
        last: list[Processor] = [redact, structlog.dev.ConsoleRenderer()]
    else:
        last = [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # tests configure more than once
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # It reports each step of each start; what was migrated is logged by us, in one line.
    logging.getLogger("alembic").setLevel(max(root.level, logging.WARNING))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace credentials, by key at any depth and inside texts."""
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: object, value: object) -> object:
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, str):
        return _HEADER_IN_TEXT.sub(rf"\1\2{REDACTED}", _URL_PASSWORD.sub(rf"\1:{REDACTED}", value))
    if isinstance(value, Mapping):
        return {inner: _clean(inner, item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(None, item) for item in value]
    return value
